import { PyTorch, Safetensors, State, Stored } from "breve"
import { Effect } from "effect"
import * as Model from "./model.ts"

/** What a load says that cannot be done; the model is as it was after each of them. */
export const run = Effect.gen(function* () {
  const model = yield* Model.make()
  const row = Stored.fromFloats(Float32Array.of(1, 2), [1, 2])
  const state = yield* State.extract(model)
  const { "fc1.bias": bias, ...others } = state
  const failures: ReadonlyArray<Effect.Effect<unknown, { readonly message: string }>> = [
    State.load(model, { ...others, "fc1.bais": bias ?? row }, "float"),
    State.load(model, { ...state, "fc1.weigth": row }, "float"),
    State.load(model, { "fc1.weight": row }),
    PyTorch.load(model, { "fc2.weight": row }),
    Effect.fromResult(Safetensors.decode(new Uint8Array([200, 0, 0, 0, 0, 0, 0, 0, 123]), "x.safetensors"))
  ]
  return yield* Effect.forEach(failures, (failure) => Effect.map(Effect.flip(failure), ({ message }) => message))
})
