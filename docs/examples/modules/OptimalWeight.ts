import { Linear, OptimalWeight, Weighted } from "breve"
import { Effect } from "effect"

/** Four bits, each channel with the scale of the smallest squared error there is. */
export const example = Effect.gen(function* () {
  const weightQuant = OptimalWeight.Int4WeightPerChannelFloatOptimal
  const layer = yield* Linear.quantLinear({ inFeatures: 64, outFeatures: 2, weightQuant, seed: 1 })
  return yield* Weighted.scale(layer)
})

export const shows = [[0.0171739, 0.0177787]]
