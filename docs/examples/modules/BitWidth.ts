import * as tf from "@tensorflow/tfjs-core"
import { Injector, ScaledInt, TensorQuantizer, Tree } from "breve"
import { Effect, pipe } from "effect"

const LearnedWidth = pipe(
  ScaledInt.Int8WeightPerTensorFloat,
  Injector.let({ bitWidth: 4, bitWidthImplType: "parameter" })
)

/** A width that is learned: it has a parameter, and a gradient. */
export const example = Effect.map(Injector.resolve(LearnedWidth, "tensorQuant"), (quantizer) =>
  tf.tidy(() => ({
    parameters: Tree.leaves(quantizer.parameters).map(([name]) => name),
    bitWidth: TensorQuantizer.quantize(quantizer, tf.tensor1d([0.3, -0.7])).bitWidth
  }))
)

export const shows = { parameters: ["msbClampBitWidthImpl.bitWidthOffset"], bitWidth: 4 }
