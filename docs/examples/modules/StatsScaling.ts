import * as tf from "@tensorflow/tfjs-core"
import { Injector, ScaledInt, TensorQuantizer, Tree } from "breve"
import { Effect } from "effect"

const scaleOf = (quantizer: TensorQuantizer.TensorQuantizer) =>
  tf.tidy(() => TensorQuantizer.quantize(quantizer, tf.tensor1d([1.27, -0.4])).scale)

/** A scale that follows the weights, which has no parameter; and one that begins there and is learned. */
export const example = Effect.gen(function* () {
  const follows = yield* Injector.resolve(ScaledInt.Int8WeightPerTensorFloat, "tensorQuant")
  const learned = yield* Injector.resolve(
    Injector.let(ScaledInt.Int8WeightPerTensorFloat, { scalingImplType: "parameterFromStats" }),
    "tensorQuant"
  )
  const named = (quantizer: TensorQuantizer.TensorQuantizer) => Tree.leaves(quantizer.parameters).map(([name]) => name)
  return { scales: [scaleOf(follows), scaleOf(learned)], follows: named(follows), learned: named(learned) }
})

export const shows = { scales: [0.01, 0.01], follows: [], learned: ["scalingImpl.value"] }
