import * as tf from "@tensorflow/tfjs-core"
import { Pool } from "breve"

/** The largest element and the mean of each 2 x 2 window of an image. */
export const example = () => {
  const x = tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 4, 1])
  return {
    largest: tf.reshape(Pool.maxPool2d(x, { size: [2, 2] }), [2]),
    mean: tf.reshape(Pool.avgPool2d(x, { size: [2, 2] }), [2])
  }
}

export const shows = { largest: [6, 8], mean: [3.5, 5.5] }
