import * as tf from "@tensorflow/tfjs-core"
import { Accumulator, QuantTensor } from "breve"

/** The sums that each output channel of a weight can come to with unsigned inputs of 4 bits, and whether 8 bits hold them. */
export const example = () => {
  const weight = QuantTensor.fromNumbers(
    tf.tensor2d([
      [0.5, -1],
      [3, 2]
    ]),
    { scale: 0.5, zeroPoint: 0, bitWidth: 4, signed: true, training: false }
  )
  const input = { bitWidth: 4, signed: false }
  return { sums: Accumulator.extremes(weight, 1, input), fits: Accumulator.fits(weight, 1, input, 8) }
}

export const shows = {
  sums: [
    { low: 0, high: 105 },
    { low: -30, high: 60 }
  ],
  fits: true
}
