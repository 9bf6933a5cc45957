import * as tf from "@tensorflow/tfjs-core"
import { SignQuant } from "breve"

/** Weights of one and of two bits: plus or minus the scale, and 0 below a threshold. */
export const example = () => {
  const x = tf.tensor1d([0.9, -0.2, 0.1])
  return { binary: SignQuant.binary(x, tf.scalar(0.5)), ternary: SignQuant.ternary(x, tf.scalar(0.5), 0.3) }
}

export const shows = { binary: [0.5, -0.5, 0.5], ternary: [0.5, -0.5, 0] }
