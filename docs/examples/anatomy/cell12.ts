import type * as tf from "@tensorflow/tfjs-core"
import { Convolution, Injector, Layer, State, Weighted } from "breve"
import { Effect, pipe } from "effect"
import { MyBinaryWeightQuantizer } from "./cell10.ts"

export const MySignedBinaryWeightQuantizer = pipe(
  MyBinaryWeightQuantizer,
  Injector.let({ signed: true }),
  Injector.named("MySignedBinaryWeightQuantizer")
)

export const run = (weight: tf.Tensor) =>
  Effect.gen(function* () {
    const conv = yield* Convolution.quantConv2d({
      inChannels: 3,
      outChannels: 2,
      kernelSize: [3, 3],
      weightQuant: MySignedBinaryWeightQuantizer
    })
    yield* State.assign(conv, { weight })
    return yield* Weighted.quantWeight(conv, Layer.training)
  })
