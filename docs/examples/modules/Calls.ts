import * as tf from "@tensorflow/tfjs-core"
import { Calls, Linear, Model } from "breve"
import { Effect } from "effect"

/** What a model does, seen in one run: its layers in the order of their calls, and which of them reads what another one answers. */
export const example = Effect.gen(function* () {
  const fc = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 2, seed: 1 })
  const model = Model.sequential({ fc, relu: Model.relu })
  return tf.tidy(() => {
    const seen = Calls.run(model, tf.ones([1, 2]))
    return seen.calls.map(({ path, inputs: [x] }) => ({ path, reads: Calls.makerOf(seen, x)?.path ?? "the input" }))
  })
})

export const shows = [
  { path: "fc", reads: "the input" },
  { path: "relu", reads: "fc" }
]
