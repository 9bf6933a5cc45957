import * as tf from "@tensorflow/tfjs-core"
import { View } from "breve"

/** The weight of a linear layer `[in, out]` as one row for each output channel, which a statistic per channel reduces. */
export const example = () => {
  const weight = tf.tensor2d([
    [1, 2, 3],
    [4, 5, 6]
  ])
  return View.OverOutputChannelView({ permuteDims: [1, 0] }).apply(weight)
}

export const shows = [
  [1, 4],
  [2, 5],
  [3, 6]
]
