import * as tf from "@tensorflow/tfjs-core"
import { Minifloat } from "breve"

/** To the nearest value with three bits of mantissa; and the largest value of e4m3 as OCP has it, whose last code is NaN. */
export const example = () => {
  const e4m3 = { exponentBitWidth: 4, mantissaBitWidth: 3, exponentBias: Minifloat.biasOf(4) }
  return {
    nearest: Minifloat.nearest(tf.tensor1d([0.3, 1.07, 100]), e4m3),
    largest: Minifloat.maxAvailableFloat({ ...e4m3, ...Minifloat.ocpReserved(8, 4, 3) }),
    smallest: Minifloat.minAvailableFloat(e4m3)
  }
}

export const shows = { nearest: [0.3125, 1.125, 96], largest: 448, smallest: 0.00195313 }
