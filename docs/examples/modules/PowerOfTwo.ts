import * as tf from "@tensorflow/tfjs-core"
import { PowerOfTwo } from "breve"

/** The nearest powers of two, in the logarithm, and the next ones above. */
export const example = () => {
  const x = tf.tensor1d([0.3, 1, 5])
  return { nearest: PowerOfTwo.near(x, "nearest"), above: PowerOfTwo.near(x, "ceil") }
}

export const shows = { nearest: [0.25, 1, 4], above: [0.5, 1, 8] }
