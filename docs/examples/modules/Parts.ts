import * as tf from "@tensorflow/tfjs-core"
import { Injector, Parts, ScaledInt, TensorQuantizer } from "breve"
import { Effect, pipe } from "effect"

const PowersOfTwo = pipe(
  ScaledInt.Int8WeightPerTensorFloat,
  Injector.merge(Parts.PerTensorPoTScaling8bit),
  Injector.named("Int8WeightPowerOfTwo")
)

/** A ready-made fragment in the place of another: a scale that is a power of two. */
export const example = Effect.map(Injector.resolve(PowersOfTwo, "tensorQuant"), (quantizer) =>
  tf.tidy(() => TensorQuantizer.quantize(quantizer, tf.tensor1d([0.3, -0.7, 1.4])).scale)
)

export const shows = 0.015625
