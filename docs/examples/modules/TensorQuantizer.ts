import * as tf from "@tensorflow/tfjs-core"
import { Injector, ScaledInt, TensorQuantizer } from "breve"
import { Effect, pipe } from "effect"

const Int4 = pipe(ScaledInt.Int8WeightPerTensorFloat, Injector.let({ bitWidth: 4 }))

/** What a quantizer answers: the value, and what it is made of. */
export const example = Effect.map(Injector.resolve(Int4, "tensorQuant"), (quantizer) =>
  tf.tidy(() => {
    const { value, scale, zeroPoint, bitWidth } = TensorQuantizer.quantize(quantizer, tf.tensor1d([0.3, -0.7, 1.4]))
    return { value, scale, zeroPoint, bitWidth }
  })
)

export const shows = { value: [0.4, -0.8, 1.4], scale: 0.2, zeroPoint: 0, bitWidth: 4 }
