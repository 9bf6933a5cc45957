import * as tf from "@tensorflow/tfjs-core"
import { Extremum } from "breve"

/** The largest magnitude of each row, and which elements learn from it: of equal ones the first. */
export const example = () => {
  const x = tf.tensor2d([
    [1, -4],
    [2, 2]
  ])
  const ofRows = (v: tf.Tensor) => Extremum.absMax(v, { axis: 1 })
  return { value: ofRows(x), gradient: tf.grad(ofRows)(x) }
}

export const shows = {
  value: [4, 2],
  gradient: [
    [0, -1],
    [1, 0]
  ]
}
