import type * as tf from "@tensorflow/tfjs-core"
import { State } from "breve"
import { Effect } from "effect"
import { paramFromMaxConv } from "./cell18.ts"

export const loadedConv = (weight: tf.Tensor, floatState: State.StateDict) =>
  Effect.gen(function* () {
    const conv = yield* paramFromMaxConv(weight)
    const loaded = yield* State.load(conv, floatState, "float")
    return { conv, loaded }
  })

export const run = (weight: tf.Tensor, floatState: State.StateDict) =>
  Effect.map(loadedConv(weight, floatState), ({ loaded }) => loaded)
