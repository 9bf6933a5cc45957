import * as tf from "@tensorflow/tfjs-core"
import { LearnedRoundOp } from "breve"

/** How far up three parameters round, soft in training and hard in evaluation. */
export const example = () => {
  const p = tf.tensor1d([-5, 0, 0.5])
  return { soft: LearnedRoundOp.hardSigmoid(p, 1.1, -0.1), hard: LearnedRoundOp.hardSigmoidStep(p, 1.1, -0.1) }
}

export const shows = { soft: [0, 0.5, 0.646951], hard: [0, 0, 1] }
