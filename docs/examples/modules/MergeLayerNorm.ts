import { LayerNorm, Linear, MergeLayerNorm, Model, State, Stored } from "breve"
import { Effect } from "effect"

/** The scale of a layer normalization goes into the layer that reads it: a rotation can then pass through the normalization. */
export const example = Effect.gen(function* () {
  const model = Model.sequential({
    norm: yield* LayerNorm.rmsNorm({ channels: 2 }),
    fc: yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1, weightQuant: null, seed: 1 })
  })
  yield* State.load(model, { "norm.weight": Stored.fromFloats(Float32Array.of(2, 3), [2]) }, "report")
  const merged = yield* MergeLayerNorm.merge({ input: [1, 2] })(model)
  const { "norm.weight": weight } = yield* State.extract(merged)
  return weight && Stored.floats(weight)
})

export const shows = [1, 1]
