import * as tf from "@tensorflow/tfjs-core"
import { Sign } from "breve"

/** Zero counts as positive where there are only two signs; the gradient passes. */
export const example = () => {
  const x = tf.tensor1d([-0.3, 0, 2])
  return { binary: Sign.binary(x), ternary: Sign.ternary(x), gradient: tf.grad(Sign.binary)(x) }
}

export const shows = { binary: [-1, 1, 1], ternary: [-1, 0, 1], gradient: [1, 1, 1] }
