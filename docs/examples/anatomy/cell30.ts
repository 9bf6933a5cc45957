import type * as tf from "@tensorflow/tfjs-core"
import { QuantProxy } from "breve"
import { Effect } from "effect"
import { overwritten } from "./cell29.ts"
import { largest, proxyOf, scaleOf } from "./weights.ts"

export const run = (weight: tf.Tensor) =>
  Effect.gen(function* () {
    const conv = yield* overwritten(weight)
    yield* QuantProxy.reload(yield* proxyOf(conv))
    return (yield* scaleOf(conv))[0] === largest(weight) // true
  })
