import * as tf from "@tensorflow/tfjs-core"
import { Binary, Injector, TensorQuantizer } from "breve"
import { Effect, pipe } from "effect"

const Half = pipe(Binary.SignedBinaryWeightPerTensorConst, Injector.let({ scalingInit: 0.5 }))

/** Weights of one bit with a fixed scale. */
export const example = Effect.map(Injector.resolve(Half, "tensorQuant"), (quantizer) =>
  tf.tidy(() => TensorQuantizer.quantize(quantizer, tf.tensor1d([0.7, -0.2, 0])).value)
)

export const shows = [0.5, -0.5, 0.5]
