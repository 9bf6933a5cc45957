import * as tf from "@tensorflow/tfjs-core"
import { RunningStatistic } from "breve"

/** An average over calls, with a momentum of 0.1: the first value as it is, then a tenth of each new one. */
export const example = () => {
  const first = RunningStatistic.averaged(tf.scalar(1), 0, tf.scalar(2), 0.1)
  return [first, RunningStatistic.averaged(first, 1, tf.scalar(4), 0.1)]
}

export const shows = [2, 2.2]
