import * as tf from "@tensorflow/tfjs-core"
import { ConvolutionTransposed } from "breve"

/** Twice as long: each element becomes what the filter makes of it. */
export const example = () => {
  const x = tf.tensor3d([1, 2, 3], [1, 3, 1])
  const filter = tf.tensor3d([1, 0.5], [2, 1, 1])
  const y = ConvolutionTransposed.convTranspose(x, filter, {
    strides: [2],
    pad: [[0, 0]],
    outputPadding: [0],
    dilations: [1]
  })
  return tf.reshape(y, [6])
}

export const shows = [1, 0.5, 2, 1, 3, 1.5]
