import { FixedPoint, Fork, type Layer, Linear, Model } from "breve"
import { Effect } from "effect"

/** A copy that learns, loads and changes on its own; here with other weight quantizers. */
export const example = Effect.gen(function* () {
  const model = Model.sequential({ fc: yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 2, seed: 1 }) })
  const copy = yield* Fork.requantized(model, (name) =>
    name.endsWith("weightQuant") ? FixedPoint.Int8WeightPerTensorFixedPoint : undefined
  )
  const declared = (one: Layer.Stateful) => one.proxies.map(([name, { injector }]) => `${name}: ${injector.name}`)
  return { model: declared(model), copy: declared(copy) }
})

export const shows = {
  model: ["fc.weightQuant: Int8WeightPerTensorFloat"],
  copy: ["fc.weightQuant: Int8WeightPerTensorFixedPoint"]
}
