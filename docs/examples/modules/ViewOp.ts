import * as tf from "@tensorflow/tfjs-core"
import { ViewOp } from "breve"

/** Groups of two along the last axis, the last one padded; and back into the shape before. */
export const example = () => {
  const groups = ViewOp.group(tf.tensor2d([[1, 2, 3]]), 2, 1)
  return { groups, back: ViewOp.ungroup(groups, 2, 1, [1, 3]) }
}

export const shows = {
  groups: [
    [
      [1, 2],
      [3, 0]
    ]
  ],
  back: [[1, 2, 3]]
}
