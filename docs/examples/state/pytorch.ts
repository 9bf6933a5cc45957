import { PyTorch, Safetensors } from "breve"
import { Effect } from "effect"
import * as Model from "./model.ts"

/** Adopts the float network of a file that Python has written. */
export const run = (bytes: Uint8Array) =>
  Effect.gen(function* () {
    const model = yield* Model.make()
    const { tensors } = yield* Effect.fromResult(Safetensors.decode(bytes, "mlp.safetensors"))
    const { missing } = yield* PyTorch.load(model, tensors)
    return { missing, back: yield* PyTorch.toStateDict(model) }
  })
