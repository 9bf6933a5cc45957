import { Linear, Model, ScaledInt, Slotted } from "breve"
import { Effect } from "effect"

/** A float network gets a quantizer for what its second layer reads; the network itself stays as it is. */
export const example = Effect.gen(function* () {
  const plain = { inFeatures: 2, outFeatures: 2, weightQuant: null } as const
  const float = Model.sequential({ fc1: yield* Linear.quantLinear(plain), fc2: yield* Linear.quantLinear(plain) })
  const quantized = yield* Slotted.filled(float, (name) =>
    name === "fc2.inputQuant" ? ScaledInt.Int8ActPerTensorFloat : undefined
  )
  return [Slotted.empty(float).length, Slotted.empty(quantized).length, quantized.proxies.map(([name]) => name)]
})

export const shows = [8, 7, ["fc2.inputQuant"]]
