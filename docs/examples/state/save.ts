import type * as tf from "@tensorflow/tfjs-core"
import { Layer, Safetensors, State } from "breve"
import { Effect } from "effect"
import * as Model from "./model.ts"

/** Saves a model, loads it into another one, and answers the names at each stage. */
export const run = (x: tf.Tensor) =>
  Effect.gen(function* () {
    const model = yield* Model.make(1)
    const atFirst = Object.keys(yield* State.extract(model))
    const y = yield* Layer.forward(model, x, Layer.training)
    yield* Effect.sync(() => (y as tf.Tensor).dispose())
    const state = yield* State.extract(model)
    const bytes = Safetensors.encode(state, { epoch: "1" })

    const other = yield* Model.make(2)
    const { tensors, metadata } = yield* Effect.fromResult(Safetensors.decode(bytes, "model.safetensors"))
    const { adopted } = yield* State.load(other, tensors, "strict")
    return { atFirst, adopted, metadata }
  })
