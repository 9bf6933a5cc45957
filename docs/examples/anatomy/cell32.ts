import type * as tf from "@tensorflow/tfjs-core"
import { Convolution, Layer, State, Weighted } from "breve"
import { Effect } from "effect"
import { AdvancedWeightQuantizer } from "./cell31.ts"

export const perChannelConv = (weight: tf.Tensor) =>
  Effect.gen(function* () {
    const conv = yield* Convolution.quantConv2d({
      inChannels: 3,
      outChannels: 2,
      kernelSize: [3, 3],
      weightQuant: AdvancedWeightQuantizer,
      weight: { isClamped: false, scalingPerOutputChannel: true }
    })
    yield* State.assign(conv, { weight })
    return conv
  })

export const run = (weight: tf.Tensor) =>
  Effect.flatMap(perChannelConv(weight), (conv) => Weighted.quantWeight(conv, Layer.training))
