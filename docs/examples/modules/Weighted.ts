import { Linear, QuantTensor, Weighted } from "breve"
import { Effect } from "effect"

/** The weight as a layer uses it, with its integers: what a device would store. */
export const example = Effect.gen(function* () {
  const layer = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 2, weight: { bitWidth: 4 }, seed: 1 })
  const weight = yield* Weighted.quantWeight(layer)
  const integers = QuantTensor.int(weight)
  QuantTensor.dispose(weight)
  return integers
})

export const shows = [
  [-2, -4],
  [3, -7]
]
