import { LeasedRef, Linear, QuantProxy } from "breve"
import { Effect } from "effect"

/** The living quantizer of a layer: it begins anew for other weights, or by hand. */
export const example = Effect.gen(function* () {
  const layer = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1, seed: 1 })
  const proxy = layer.weightQuant
  if (proxy === undefined) return "none"
  const before = LeasedRef.current(proxy.cell).quantizer
  yield* QuantProxy.reload(proxy)
  return { slot: proxy.slot, declared: proxy.injector.name, anew: LeasedRef.current(proxy.cell).quantizer !== before }
})

export const shows = { slot: "weight", declared: "Int8WeightPerTensorFloat", anew: true }
