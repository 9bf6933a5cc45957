import * as tf from "@tensorflow/tfjs-core"
import { Linalg } from "breve"

/** A row times the transposed of a matrix, read as it lies. */
export const example = () => {
  const a = tf.tensor2d([[1, 2]])
  const b = tf.tensor2d([
    [3, 4],
    [5, 6]
  ])
  return Linalg.matMul(a, b, { transposeB: true })
}

export const shows = [[11, 17]]
