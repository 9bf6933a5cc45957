import * as tf from "@tensorflow/tfjs-core"
import { Resize } from "breve"

/** An image of two pixels, twice as wide: by the nearest pixel, and on a straight line. */
export const example = () => {
  const x = tf.tensor4d([0, 4], [1, 1, 2, 1])
  return {
    nearest: tf.reshape(Resize.nearest(x, [1, 4]), [4]),
    bilinear: tf.reshape(Resize.bilinear(x, [1, 4]), [4])
  }
}

export const shows = { nearest: [0, 0, 4, 4], bilinear: [0, 1, 3, 4] }
