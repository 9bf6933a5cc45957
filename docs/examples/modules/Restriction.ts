import * as tf from "@tensorflow/tfjs-core"
import { Injector, Restriction, ScaledInt, TensorQuantizer } from "breve"
import { Effect, pipe } from "effect"

const Shifts = pipe(
  ScaledInt.Int8WeightPerTensorFloat,
  Injector.let({ restrictScalingImpl: Restriction.PowerOfTwoRestrictValue })
)

/** Scales that are powers of two: a device multiplies by shifting. */
export const example = Effect.map(Injector.resolve(Shifts, "tensorQuant"), (quantizer) =>
  tf.tidy(() => TensorQuantizer.quantize(quantizer, tf.tensor1d([0.3, -0.7, 1.4])).scale)
)

export const shows = 0.0078125
