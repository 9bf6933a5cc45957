import * as tf from "@tensorflow/tfjs-core"
import { TruncScaling } from "breve"

/** What integers of 12 bits are divided by to keep the highest 8. */
export const example = () => {
  const state = { parameters: {}, memory: {}, training: false }
  return TruncScaling.TruncMsbScaling({}).apply(state, tf.zeros([1]), tf.scalar(12), tf.scalar(8), true)[0]
}

export const shows = 16
