import * as tf from "@tensorflow/tfjs-core"
import { Injector, OptimalScale, ScaledInt, TensorQuantizer } from "breve"
import { Effect, pipe } from "effect"

const Best = pipe(
  ScaledInt.Int8WeightPerTensorFloat,
  Injector.let({ bitWidth: 3, scalingStatsImpl: OptimalScale.OptimalScale })
)

/** Three bits for weights with an outlier: no other scale has a smaller squared error. */
export const example = Effect.map(Injector.resolve(Best, "tensorQuant"), (quantizer) =>
  tf.tidy(() => {
    const x = tf.tensor1d([0.1, -0.2, 0.15, 0.25, -0.1, 0.2, -0.3, 1])
    return TensorQuantizer.quantize(quantizer, x).scale
  })
)

export const shows = 0.292857
