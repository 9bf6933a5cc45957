import * as tf from "@tensorflow/tfjs-core"
import { Gather } from "breve"

/** Rows of a table by their numbers, as an embedding looks them up. */
export const example = () => {
  const table = tf.tensor2d([
    [0.1, 0.2],
    [0.3, 0.4],
    [0.5, 0.6]
  ])
  return Gather.gather(table, tf.tensor1d([2, 0], "int32"))
}

export const shows = [
  [0.5, 0.6],
  [0.1, 0.2]
]
