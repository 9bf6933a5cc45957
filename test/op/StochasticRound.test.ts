import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import { stochastic } from "../../src/op/StochasticRound.ts"
import * as Random from "../../src/tensor/Random.ts"

const seed = Random.make(7)
const rounded = (x: ReadonlyArray<number>, random = seed): ReadonlyArray<number> =>
  tf.tidy(() => Array.from(stochastic(tf.tensor1d([...x]), random).dataSync()))

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`stochastic rounding on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("answers one of the two neighbours; whole numbers, NaN and infinities stay", () => {
      const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3, -4, 0, 2 ** 30]
      expect(rounded(special)).toEqual(special)
      fc.assert(
        fc.property(fc.float({ noNaN: true, min: -1e4, max: 1e4 }), fc.nat(), (x, n) => {
          const [y] = rounded([x], Random.make(n)) as [number]
          return y === Math.floor(x) || (y === Math.floor(x) + 1 && x !== Math.floor(x))
        }),
        { numRuns: 200 }
      )
    })
    it("rounds up as often as the fraction says", () => {
      const samples = 20_000
      for (const x of [-1.75, -0.5, 0.001, 0.25, 2.9]) {
        const ys = rounded(Array.from({ length: samples }, () => x))
        const mean = ys.reduce((sum, y) => sum + y, 0) / samples
        const p = x - Math.floor(x)
        expect(Math.abs(mean - x)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / samples))
      }
    })
    it("hardly ever rounds up a fraction far below 2^-24", () => {
      const many = rounded(Array.from({ length: 200_000 }, () => 1e-12))
      expect(many.every((y) => y === 0)).toBe(true)
    })
    it("the same random numbers give the same bits, others do not; the gradient is the identity's; nothing leaks", () => {
      const before = tf.memory().numTensors
      const x = Array.from({ length: 64 }, (_, i) => i / 3)
      expect(rounded(x)).toEqual(rounded(x))
      expect(rounded(x)).not.toEqual(rounded(x, Random.make(8)))
      const dx = tf.tidy(() => tf.grad((a: tf.Tensor) => stochastic(a, seed))(tf.tensor1d(x), tf.range(0, 64)))
      expect(Array.from(dx.dataSync())).toEqual(Array.from({ length: 64 }, (_, i) => i))
      dx.dispose()
      expect(tf.memory().numTensors).toBe(before)
    })
    it("keeps shapes, also empty ones", () => {
      expect(tf.tidy(() => stochastic(tf.zeros([0, 3]), seed).shape)).toEqual([0, 3])
    })
  })
