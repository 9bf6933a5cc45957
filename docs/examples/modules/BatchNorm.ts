import * as tf from "@tensorflow/tfjs-core"
import { BatchNorm } from "breve"

/** A batch normalization in evaluation is one affine map: weight and bias for each channel. */
export const example = () =>
  BatchNorm.affine(
    { mean: tf.tensor1d([1, 2]), variance: tf.tensor1d([4, 0.25]) },
    tf.tensor1d([1, 1]),
    tf.tensor1d([0, 0.5]),
    0
  )

export const shows = { weight: [0.5, 2], bias: [-0.5, -3.5] }
