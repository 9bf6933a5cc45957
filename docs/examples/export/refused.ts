import { Activation, IntegerNetwork, Linear, Model, Onnx } from "breve"
import { Effect } from "effect"

export const run = Effect.gen(function* () {
  const model = Model.sequential({
    input: yield* Activation.quantIdentity({ act: { bitWidth: 12 } }),
    fc: yield* Linear.quantLinear({ inFeatures: 16, outFeatures: 4 })
  })
  const wide = yield* Effect.flip(Onnx.exportQcdq(model, { inputShape: [1, 16] }))
  const float = yield* Effect.flip(IntegerNetwork.of(model, [1, 16]))
  return `${wide.message}\n${float.message}`
})
