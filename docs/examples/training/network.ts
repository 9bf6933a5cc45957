import { Activation, Batch, Injector, Linear, Model, Random, ScaledInt } from "breve"
import { Effect, pipe } from "effect"

const Act4 = pipe(ScaledInt.Uint8ActPerTensorFloat, Injector.let({ bitWidth: 4, collectStatsSteps: 10 }))

/** Weights and activations of 4 bits. */
export const network = Effect.gen(function* () {
  return Model.sequential({
    fc1: yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 16, weight: { bitWidth: 4 }, seed: 1 }),
    relu: yield* Activation.quantReLU({ actQuant: Act4 }),
    fc2: yield* Linear.quantLinear({ inFeatures: 16, outFeatures: 2, weight: { bitWidth: 4 }, seed: 2 })
  })
})

/** 400 points: is it inside of the circle or not? */
const count = 400
const points = Random.uniform(Random.make(1), 2 * count, -1, 1)
const inside = (i: number): boolean => Math.hypot(points[2 * i] ?? 0, points[2 * i + 1] ?? 0) < 0.8
export const source = Batch.source(
  { shape: [count, 2], values: points },
  { shape: [count], values: Int32Array.from({ length: count }, (_, i) => Number(inside(i))) }
)
