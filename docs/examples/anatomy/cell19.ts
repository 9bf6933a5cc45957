import type * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { paramFromMaxConv } from "./cell18.ts"
import { largest, scaleOf } from "./weights.ts"

export const run = (weight: tf.Tensor) =>
  Effect.gen(function* () {
    const conv = yield* paramFromMaxConv(weight)
    return (yield* scaleOf(conv))[0] === largest(weight) // true
  })
