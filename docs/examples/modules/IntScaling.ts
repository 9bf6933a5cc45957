import * as tf from "@tensorflow/tfjs-core"
import { IntScaling } from "breve"

/** What the threshold of a scale is mapped to, of 8 bits: an integer of the format, or a power of two for scales that are shifts. */
export const example = () => ({
  narrow: IntScaling.IntScaling({ signed: true, narrowRange: true }).apply(tf.scalar(8)),
  powerOfTwo: IntScaling.PowerOfTwoIntScaling({ signed: true }).apply(tf.scalar(8))
})

export const shows = { narrow: 127, powerOfTwo: 128 }
