import * as tf from "@tensorflow/tfjs-core"
import { StatisticOp } from "breve"

/** Statistics of each row that scales are made of. */
export const example = () => {
  const x = tf.tensor2d([
    [1, -3, 2],
    [-1, -1, 5]
  ])
  return { absMax: StatisticOp.absMax(x, { axis: 1 }), absMinMax: StatisticOp.absMinMax(x, { axis: 1 }) }
}

export const shows = { absMax: [3, 5], absMinMax: [5, 6] }
