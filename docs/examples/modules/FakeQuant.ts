import * as tf from "@tensorflow/tfjs-core"
import { FakeQuant } from "breve"

/** To the integers -8 .. 7 in steps of 0.5 and back, in one pass over memory. */
export const example = () =>
  FakeQuant.fakeQuantize(tf.tensor1d([0.3, -1.1, 9]), tf.scalar(0.5), 0, -8, 7, {
    rounding: "nearest",
    clampPasses: false
  })

export const shows = [0.5, -1, 3.5]
