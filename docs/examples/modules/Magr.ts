import * as tf from "@tensorflow/tfjs-core"
import { Magr, type Ptq, State } from "breve"
import { Effect } from "effect"
import { batches, network } from "../post-training/model.ts"

/** Largest magnitudes shrink while the outputs stay: a smaller scale for what is rounded next. */
export const example = Effect.gen(function* () {
  const model = yield* network
  const smaller = yield* Magr.magr(batches, { alpha: 0.1 })(model)
  const largest = (one: Ptq.Model) =>
    Effect.map(State.parameters(one), ({ "fc1.weight": weight }) =>
      tf.tidy(() => tf.max(tf.abs(weight as tf.Tensor)).dataSync()[0])
    )
  return { before: yield* largest(model), after: yield* largest(smaller) }
})

export const shows = { before: 0.249956, after: 0.197129 }
