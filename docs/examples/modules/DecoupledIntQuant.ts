import * as tf from "@tensorflow/tfjs-core"
import { Clamp, DecoupledIntQuant, Rounding } from "breve"

/** Integers by one scale, back to floats by another one: `round(x / 0.1) * 0.12`. */
export const example = () => {
  const decoupled = DecoupledIntQuant.DecoupledIntQuant({
    floatToIntImpl: Rounding.RoundSte({}),
    tensorClampImpl: Clamp.TensorClamp({}),
    signed: true,
    narrowRange: true
  })
  const [preScale, scale, zero, bitWidth] = [0.1, 0.12, 0, 4].map((x) => tf.scalar(x)) as [
    tf.Scalar,
    tf.Scalar,
    tf.Scalar,
    tf.Scalar
  ]
  const grids = { preScale, preZeroPoint: zero, scale, zeroPoint: zero, bitWidth }
  return decoupled.apply({ parameters: {}, memory: {}, training: false }, tf.tensor1d([0.33, -0.5, 1]), grids)[0]
}

export const shows = [0.36, -0.6, 0.84]
