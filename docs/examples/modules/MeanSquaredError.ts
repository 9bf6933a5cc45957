import * as tf from "@tensorflow/tfjs-core"
import { Injector, Parts, ScaledInt, TensorQuantizer } from "breve"
import { Effect, pipe } from "effect"

const Mse = pipe(
  ScaledInt.Int8WeightPerTensorFloat,
  Injector.merge(Parts.MSESymmetricScale),
  Injector.let({ bitWidth: 3 })
)

/** Three bits for weights with an outlier: the scale of the smallest squared error is less than that of the largest magnitude, 1 / 3. */
export const example = Effect.map(Injector.resolve(Mse, "tensorQuant"), (quantizer) =>
  tf.tidy(() => {
    const x = tf.tensor2d([0.1, -0.2, 0.15, 0.25, -0.1, 0.2, -0.3, 1], [2, 4])
    return TensorQuantizer.quantize(quantizer, x).scale
  })
)

export const shows = 0.3
