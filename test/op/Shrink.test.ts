import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Shrink from "../../src/op/Shrink.ts"

const numbers = (f: () => tf.Tensor): ReadonlyArray<number> => tf.tidy(() => Array.from(f().dataSync(), (y) => y + 0))

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`Shrink on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("shrink: for p = 1 the soft threshold", () => {
      expect(numbers(() => Shrink.shrink(tf.tensor1d([3, -3, 0.25, 0, -0.5]), 2, 1))).toEqual([2.5, -2.5, 0, 0, 0])
    })
    it("shrink: for p < 1 the small vanish and the large hardly change", () => {
      const [large, small, zero, infinite] = numbers(() =>
        Shrink.shrink(tf.tensor1d([100, 0.5, 0, Number.NEGATIVE_INFINITY]), 1, 0.5)
      )
      expect(large).toBeCloseTo(99.9, 5)
      expect([small, zero, infinite]).toEqual([0, 0, Number.NEGATIVE_INFINITY])
    })
    it("shrink: NaN passes", () => {
      for (const p of [0.5, 1])
        expect(numbers(() => Shrink.shrink(tf.tensor1d([Number.NaN]), 1, p))).toEqual([Number.NaN])
    })
    it("maskedMedian: the lower one of two in the middle; NaN where nothing counts", () => {
      const x = [5, 1, 9, 3, 7, 2, 4, 8]
      const median = (mask: ReadonlyArray<number>, axis?: number) =>
        numbers(() => Shrink.maskedMedian(tf.tensor2d(x, [2, 4]), tf.tensor2d([...mask], [2, 4], "bool"), { axis }))
      expect(median([1, 1, 1, 1, 1, 1, 1, 1])).toEqual([4])
      expect(median([1, 1, 1, 1, 0, 0, 0, 0], 1)).toEqual([3, Number.NaN])
      expect(median([1, 0, 1, 1, 0, 1, 1, 1], -1)).toEqual([5, 4])
      expect(median([1, 0, 1, 0, 1, 0, 0, 0], 0)).toEqual([5, Number.NaN, 9, Number.NaN])
      const withNaN = () => Shrink.maskedMedian(tf.tensor1d([Number.NaN, 2, 1]), tf.ones([3]))
      expect(numbers(withNaN)).toEqual([1])
      expect(numbers(() => Shrink.maskedMedian(tf.zeros([0]), tf.zeros([0])))).toEqual([Number.NaN])
    })
  })
