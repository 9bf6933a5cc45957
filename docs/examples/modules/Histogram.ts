import * as tf from "@tensorflow/tfjs-core"
import { Histogram, Random } from "breve"

/** Where to clip a bell curve with one far outlier, for 127 steps: the outlier is given up. */
export const example = () => {
  const bell = Random.normal(Random.make(1), 2000, 0, 1)
  return Histogram.klThreshold(tf.tensor1d([...bell, 30]), 127, 1024, 1e-4)
}

export const shows = 3.75
