import * as tf from "@tensorflow/tfjs-core"
import { Injector, Statistic } from "breve"

/** `spread` times the root of the mean square: of a bell curve, 3 leaves out one value in 370. */
export const RootMeanSquare = Injector.component(
  "RootMeanSquare",
  {
    spread: Injector.optional(3),
    statsReduceDim: Injector.optional<number | undefined>(undefined),
    keepdim: Injector.optional(false)
  },
  ({ spread, statsReduceDim, keepdim }) =>
    Statistic.make("RootMeanSquare", (x) => tf.mul(spread, tf.sqrt(tf.mean(tf.square(x), statsReduceDim, keepdim))))
)
