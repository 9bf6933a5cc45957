import * as tf from "@tensorflow/tfjs-core"
import { GradientClip, Optimizer } from "breve"
import { pipe } from "effect"

/** A step whose gradients are at most 1 long together: 0.6 and 0.8 instead of 3 and 4. */
export const example = () => {
  const { init, update } = pipe(Optimizer.sgd(1), GradientClip.byNorm(1))
  const p = { a: tf.scalar(0), b: tf.scalar(0) }
  const [{ a, b }] = update(init(p), p, { a: tf.scalar(3), b: tf.scalar(4) })
  return [a, b]
}

export const shows = [-0.6, -0.8]
