import type * as tf from "@tensorflow/tfjs-core"
import { Convolution, Layer } from "breve"
import { Effect } from "effect"
import { ParamFromMaxWeightQuantizer } from "./cell17.ts"
import { largest, scaleOf } from "./weights.ts"

/** A layer whose weight was replaced as an optimizer does it: a new state in its cell, and no quantizer is asked. */
export const overwritten = (weight: tf.Tensor) =>
  Effect.gen(function* () {
    const conv = yield* Convolution.quantConv2d({
      inChannels: 3,
      outChannels: 2,
      kernelSize: [3, 3],
      weightQuant: ParamFromMaxWeightQuantizer
    })
    yield* Effect.sync(() => {
      const states = Layer.read(conv)
      const own = Layer.stateOf(states, conv.own)
      const parameters = { ...own.parameters, weight: weight.clone() }
      Layer.commit(new Map(states).set(conv.own, { ...own, parameters }))
    })
    return conv
  })

export const run = (weight: tf.Tensor) =>
  Effect.gen(function* () {
    const conv = yield* overwritten(weight)
    return (yield* scaleOf(conv))[0] === largest(weight) // false
  })
