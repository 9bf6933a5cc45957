import { Float, FloatParts, Injector, Linear, Weighted } from "breve"
import { Effect, pipe } from "effect"

/** A declaration of your own from fragments: FP6 weights with one scale per channel. */
const Mine = pipe(
  Float.FpWeightPerTensorFloat,
  Injector.merge(FloatParts.Fp6e3m2),
  Injector.merge(FloatParts.PerChannel),
  Injector.named("Fp6WeightPerChannel")
)

export const example = Effect.gen(function* () {
  const layer = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 2, weightQuant: Mine, seed: 1 })
  return yield* Weighted.scale(layer)
})

export const shows = [[0.0150888, 0.00915469]]
