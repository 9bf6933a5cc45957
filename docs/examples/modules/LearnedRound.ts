import * as tf from "@tensorflow/tfjs-core"
import { LearnedRound } from "breve"

/** The parameters with which learned rounding begins, so that at first nothing is rounded; moved, they decide up or down. */
export const example = () => {
  const sigmoid = LearnedRound.LearnedRoundHardSigmoid({})
  const x = tf.tensor1d([2.25, -1.5])
  const p = LearnedRound.initialOf(sigmoid, x)
  const rounded = (moved: tf.Tensor, training: boolean) => sigmoid.round(x, sigmoid.apply(moved, training))
  return { atFirst: rounded(p, true), up: rounded(tf.add(p, 3), false), down: rounded(tf.sub(p, 3), false) }
}

export const shows = { atFirst: [2.25, -1.5], up: [3, -1], down: [2, -2] }
