import { Linear, Model, State } from "breve"
import { Effect } from "effect"

/** What a model has learned, by name, out of one and into another of the same layers. */
export const example = Effect.gen(function* () {
  const of = (seed: number) =>
    Effect.map(Linear.quantLinear({ inFeatures: 2, outFeatures: 2, seed }), (fc) => Model.sequential({ fc }))
  const state = yield* State.extract(yield* of(1))
  return yield* State.load(yield* of(2), state, "strict")
})

export const shows = { adopted: ["fc.weight", "fc.bias"], missing: [], unexpected: [] }
