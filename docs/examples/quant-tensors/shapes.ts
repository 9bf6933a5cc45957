import * as tf from "@tensorflow/tfjs-core"
import { QuantTensor } from "breve"

/** An image [n, h, w, c] with a scale for each channel, as a row for each image. */
export const run = () =>
  tf.tidy(() => {
    const image = QuantTensor.make({
      value: tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 2, 2]),
      scale: tf.tensor4d([1, 2], [1, 1, 1, 2]),
      zeroPoint: tf.scalar(0),
      bitWidth: tf.scalar(8),
      signed: true,
      training: false
    })
    const row = QuantTensor.flatten(image)
    return QuantTensor.isQuantTensor(row)
      ? `integers ${QuantTensor.int(row).dataSync()}, scales [${row.scale.shape}]`
      : "plain"
  })
