import * as tf from "@tensorflow/tfjs-core"
import { Clamp, Rounding, ScaleShift } from "breve"

/** Values begin 0.8 below 0, in steps of 0.1: of four unsigned bits the integer 8 is 0. */
export const example = () => {
  const shift = ScaleShift.make({
    signed: false,
    narrowRange: false,
    floatToIntImpl: Rounding.RoundSte({}),
    tensorClampImpl: Clamp.TensorClamp({}),
    quantizeZeroPoint: true
  })
  const state = { parameters: {}, memory: {}, training: false }
  return shift.apply(state, tf.scalar(0.8), tf.scalar(0.1), tf.scalar(4))[0]
}

export const shows = 8
