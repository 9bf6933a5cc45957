import * as tf from "@tensorflow/tfjs-core"
import { Clamp } from "breve"

/** Two clamps: the gradient of the first stops outside of the range, that of the second passes. */
export const example = () => {
  const x = tf.tensor1d([-3, 0.5, 3])
  const [low, high] = [tf.scalar(-1), tf.scalar(1)]
  return {
    stops: tf.grad((v) => Clamp.TensorClamp({}).apply(v, low, high))(x),
    passes: tf.grad((v) => Clamp.TensorClampSte({}).apply(v, low, high))(x)
  }
}

export const shows = { stops: [0, 1, 0], passes: [1, 1, 1] }
