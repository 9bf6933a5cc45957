import * as tf from "@tensorflow/tfjs-core"
import { Round } from "breve"

/** A tie goes to the even number; the gradient passes as if nothing had been rounded. */
export const example = () => {
  const x = tf.tensor1d([0.5, 1.5, -2.6])
  return { value: Round.nearest(x), gradient: tf.grad(Round.nearest)(x) }
}

export const shows = { value: [0, 2, -3], gradient: [1, 1, 1] }
