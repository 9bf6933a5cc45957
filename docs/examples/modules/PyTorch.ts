import { Linear, Model, PyTorch, State, Stored } from "breve"
import { Effect } from "effect"

/** A state dict of PyTorch, read from a file, under breve's names and in its layouts: `[out, in]` becomes `[in, out]`. */
export const example = Effect.gen(function* () {
  const model = Model.sequential({ fc: yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1 }) })
  const { adopted } = yield* PyTorch.load(model, {
    "fc.weight": Stored.fromFloats(Float32Array.of(0.5, -1), [1, 2]),
    "fc.bias": Stored.fromFloats(Float32Array.of(0), [1])
  })
  const { "fc.weight": weight } = yield* State.extract(model)
  return { adopted, shape: weight?.shape }
})

export const shows = { adopted: ["fc.weight", "fc.bias"], shape: [2, 1] }
