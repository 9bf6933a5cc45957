import { Injector, Linear, ScaledInt, Weighted } from "breve"
import { Effect, pipe } from "effect"

/** The usual weights, varied: four bits, one scale per channel. */
const Int4 = pipe(ScaledInt.Int8WeightPerChannelFloat, Injector.let({ bitWidth: 4 }))

export const example = Effect.gen(function* () {
  const layer = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 2, weightQuant: Int4, seed: 1 })
  return yield* Weighted.scale(layer)
})

export const shows = [[0.0603553, 0.0366187]]
