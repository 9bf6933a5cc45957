import type * as tf from "@tensorflow/tfjs-core"
import { Layer, State, Weighted } from "breve"
import { Effect } from "effect"
import { perChannelConv } from "./cell32.ts"

export const run = (weight: tf.Tensor, floatState: State.StateDict) =>
  Effect.gen(function* () {
    const conv = yield* perChannelConv(weight)
    yield* State.load(conv, floatState, "float")
    return yield* Weighted.quantWeight(conv, Layer.training)
  })
