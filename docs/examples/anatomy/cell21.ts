import type * as tf from "@tensorflow/tfjs-core"
import { State } from "breve"
import { Effect } from "effect"
import { paramFromMaxConv } from "./cell18.ts"
import { scaleOf } from "./weights.ts"

export const run = (weight: tf.Tensor, floatState: State.StateDict) =>
  Effect.gen(function* () {
    const conv = yield* paramFromMaxConv(weight)
    const before = yield* scaleOf(conv)
    const error = yield* Effect.flip(State.load(conv, floatState, "strict"))
    return { error, before, after: yield* scaleOf(conv) } // MissingKeys; the scale is as before
  })
