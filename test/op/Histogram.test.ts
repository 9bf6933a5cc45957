import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import { klThreshold } from "../../src/op/Histogram.ts"
import * as Random from "../../src/tensor/Random.ts"

const threshold = (x: ArrayLike<number>, levels: number, bins: number): number =>
  tf.tidy(() => klThreshold(tf.tensor1d(Float32Array.from(x)), levels, bins, 1e-4).dataSync()[0]!)

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`Histogram on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("is an upper edge of a bin, between the levels and the largest magnitude", () => {
      const x = Random.normal(Random.make(1), 300, 0, 1)
      const largest = x.reduce((a, b) => Math.max(a, Math.abs(b)), 0)
      const found = threshold(x, 7, 61)
      const edge = ((found + largest) / (2 * largest)) * 61
      expect(edge).toBeCloseTo(Math.round(edge), 3)
      expect(edge).toBeGreaterThanOrEqual(30 + 3 + 1)
      expect(edge).toBeLessThanOrEqual(61.001)
    })
    it("of two values the window between them is empty, and only the whole one is left", () =>
      expect(threshold([-1, 1], 1, 3)).toBe(1))
    it("zeros have the threshold 0", () => expect(threshold([0, 0], 3, 31)).toBe(0))
    it("what is not finite, or nothing at all, shows", () => {
      expect(threshold([1, Number.NaN], 3, 31)).toBe(Number.NaN)
      expect(threshold([1, Number.NEGATIVE_INFINITY], 3, 31)).toBe(Number.POSITIVE_INFINITY)
      expect(threshold([3e38, 1], 3, 31)).toBe(Math.fround(3e38))
      expect(threshold([], 3, 31)).toBe(Number.NaN)
    })
  })
