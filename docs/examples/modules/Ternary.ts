import * as tf from "@tensorflow/tfjs-core"
import { Injector, TensorQuantizer, Ternary } from "breve"
import { Effect, pipe } from "effect"

const Fifth = pipe(Ternary.SignedTernaryWeightPerTensorConst, Injector.let({ scalingInit: 0.2 }))

/** Weights of minus the scale, 0 and the scale, by rounding. */
export const example = Effect.map(Injector.resolve(Fifth, "tensorQuant"), (quantizer) =>
  tf.tidy(() => TensorQuantizer.quantize(quantizer, tf.tensor1d([0.7, -0.12, 0.05])).value)
)

export const shows = [0.2, -0.2, 0]
