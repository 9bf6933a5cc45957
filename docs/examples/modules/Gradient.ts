import * as tf from "@tensorflow/tfjs-core"
import { Gradient } from "breve"

/** A step function that learns as if it were the identity: the value of one formula, the gradient of another. */
export const example = () => {
  const step = Gradient.customGradient((x: tf.Tensor) => ({
    value: tf.step(x),
    gradient: (dy) => [dy]
  }))
  const x = tf.tensor1d([-1, 2])
  return { value: step(x), gradient: tf.grad(step)(x) }
}

export const shows = { value: [0, 1], gradient: [1, 1] }
