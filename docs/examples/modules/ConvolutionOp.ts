import * as tf from "@tensorflow/tfjs-core"
import { ConvolutionOp } from "breve"

/** Sums of 2 x 2 windows of an image `[n, h, w, c]`; the filter is `[kh, kw, c in, c out]`. */
export const example = () => {
  const x = tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1])
  const y = ConvolutionOp.conv2d(x, tf.ones([2, 2, 1, 1]), { strides: [1, 1], pad: "valid", dilations: [1, 1] })
  return tf.reshape(y, [2, 2])
}

export const shows = [
  [12, 16],
  [24, 28]
]
