import * as tf from "@tensorflow/tfjs-core"
import { Injector, Rounding, ScaledInt, TensorQuantizer } from "breve"
import { Effect, pipe } from "effect"

const Floor = pipe(ScaledInt.Int8WeightPerTensorFloat, Injector.let({ bitWidth: 4, floatToIntImpl: Rounding.FloorSte }))

/** Four bits in steps of 0.2, rounded down. */
export const example = Effect.map(Injector.resolve(Floor, "tensorQuant"), (quantizer) =>
  tf.tidy(() => TensorQuantizer.quantize(quantizer, tf.tensor1d([0.39, -0.7, 1.4])).value)
)

export const shows = [0.2, -0.8, 1.4]
