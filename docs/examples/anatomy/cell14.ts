import type * as tf from "@tensorflow/tfjs-core"
import { Convolution, Layer, State, Weighted } from "breve"
import { Effect } from "effect"
import { MyBinaryWeightQuantizer } from "./cell10.ts"

export const run = (weight: tf.Tensor) =>
  Effect.gen(function* () {
    const conv = yield* Convolution.quantConv2d({
      inChannels: 3,
      outChannels: 2,
      kernelSize: [3, 3],
      weightQuant: MyBinaryWeightQuantizer,
      weight: { signed: true }
    })
    yield* State.assign(conv, { weight })
    return yield* Weighted.quantWeight(conv, Layer.training)
  })
