import * as tf from "@tensorflow/tfjs-core"
import { Norm } from "breve"

/** Sums of magnitudes and Euclidean lengths of rows. */
export const example = () => {
  const x = tf.tensor2d([
    [3, -4],
    [6, 8]
  ])
  return { l1: Norm.l1(x, { axis: 1 }), l2: Norm.l2(x, { axis: 1 }) }
}

export const shows = { l1: [7, 14], l2: [5, 10] }
