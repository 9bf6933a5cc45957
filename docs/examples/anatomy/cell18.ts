import type * as tf from "@tensorflow/tfjs-core"
import { Convolution, Layer, State, Weighted } from "breve"
import { Effect } from "effect"
import { ParamFromMaxWeightQuantizer } from "./cell17.ts"

export const paramFromMaxConv = (weight: tf.Tensor) =>
  Effect.gen(function* () {
    const conv = yield* Convolution.quantConv2d({
      inChannels: 3,
      outChannels: 2,
      kernelSize: [3, 3],
      weightQuant: ParamFromMaxWeightQuantizer
    })
    yield* State.assign(conv, { weight })
    return conv
  })

export const run = (weight: tf.Tensor) =>
  Effect.flatMap(paramFromMaxConv(weight), (conv) => Weighted.quantWeight(conv, Layer.training))
