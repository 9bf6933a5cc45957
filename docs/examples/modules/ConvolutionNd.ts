import * as tf from "@tensorflow/tfjs-core"
import { ConvolutionNd } from "breve"

/** Differences of neighbours along a sequence `[n, length, channels]`. */
export const example = () => {
  const x = tf.tensor3d([1, 4, 9, 16], [1, 4, 1])
  const difference = tf.tensor3d([-1, 1], [2, 1, 1])
  return tf.reshape(ConvolutionNd.conv1d(x, difference, { stride: 1, pad: "valid", dilation: 1 }), [3])
}

export const shows = [3, 5, 7]
