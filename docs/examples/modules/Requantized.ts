import { Linear, Requantized, ScaledInt } from "breve"
import { Effect } from "effect"

/** A float layer gets a weight quantizer; the layer itself stays as it is. */
export const example = Effect.gen(function* () {
  const float = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 2, weightQuant: null, seed: 1 })
  const quantized = yield* Requantized.make(float, { weightQuant: ScaledInt.Int8WeightPerTensorFloat })
  return [float, quantized].map((layer) => layer.proxies.map(([name]) => name))
})

export const shows = [[], ["weightQuant"]]
