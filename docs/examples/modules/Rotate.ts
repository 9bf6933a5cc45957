import { Linear, Model, Rotate, State, Stored } from "breve"
import { Effect } from "effect"

/** A weight of 8 in one channel becomes 4 in each of four: fewer bits are needed, and the model answers the same. */
export const example = Effect.gen(function* () {
  const float = { weightQuant: null, hasBias: false } as const
  const model = Model.sequential({
    up: yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 4, ...float, seed: 1 }),
    down: yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 1, ...float })
  })
  yield* State.load(model, { "down.weight": Stored.fromFloats(Float32Array.of(8, 0, 0, 0), [4, 1]) }, "report")
  const rotated = yield* Rotate.rotate({ input: [1, 2] })(model)
  const { "down.weight": weight } = yield* State.extract(rotated)
  return weight && Stored.floats(weight)
})

export const shows = [-4, -4, -4, -4]
