import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Statistic from "../../src/op/Statistic.ts"

/** The statistic of `x`, and its gradient where 6 comes in. */
const at = (f: (x: tf.Tensor) => tf.Tensor, x: ReadonlyArray<number>, shape: ReadonlyArray<number> = [x.length]) =>
  tf.tidy(() => {
    const input = tf.tensor([...x], [...shape])
    const value = f(input)
    const gradient = tf.grad(f)(input, tf.scalar(6))
    expect(value.shape).toEqual([])
    expect(gradient.shape).toEqual(shape)
    return { value: value.dataSync()[0], gradient: Array.from(gradient.dataSync(), (y) => y + 0) }
  })

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`Statistic on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("absMax: the gradient goes to the largest magnitude, with its sign", () => {
      expect(at(Statistic.absMax, [1, -4, 3])).toEqual({ value: 4, gradient: [0, -6, 0] })
      expect(at(Statistic.absMax, [1, 2, -3, 0], [2, 2])).toEqual({ value: 3, gradient: [0, 0, -6, 0] })
    })
    it("absMax: ties share the gradient equally", () => {
      expect(at(Statistic.absMax, [2, -2, 1, 2])).toEqual({ value: 2, gradient: [2, -2, 0, 2] })
      expect(at(Statistic.absMax, [0, 0])).toEqual({ value: 0, gradient: [0, 0] })
    })
    it("absMax: NaN is not swallowed", () => {
      for (const x of [
        [Number.NaN, 1],
        [1, Number.NaN, 3],
        [3, 1, Number.NaN]
      ])
        expect(at(Statistic.absMax, x).value).toBe(Number.NaN)
      expect(at(Statistic.absMax, [1, Number.NEGATIVE_INFINITY]).value).toBe(Number.POSITIVE_INFINITY)
    })
    it("NaN is not swallowed wherever it is in a long tensor", () => {
      for (const n of [7, 64, 1000])
        for (const place of [0, 1, 3, 6, n - 2, n - 1]) {
          const x = Array.from({ length: n }, (_, i) => (i === place ? Number.NaN : i + 1))
          for (const f of [Statistic.absMax, Statistic.absMean, (t: tf.Tensor) => Statistic.absPercentile(t, 100)])
            expect(at(f, x).value).toBe(Number.NaN)
        }
    })
    it("absMean: the gradient has the signs, and is 0 at zero", () => {
      expect(at(Statistic.absMean, [1, -4, 0, 3])).toEqual({ value: 2, gradient: [1.5, -1.5, 0, 1.5] })
      expect(at(Statistic.absMean, [1, Number.NaN]).value).toBe(Number.NaN)
    })
    it("absPercentile: the k-th smallest, k = floor(q n / 100 + 1 / 2)", () => {
      const x = [5, -1, 4, -2, 3]
      const percentile = (q: number) => (t: tf.Tensor) => Statistic.absPercentile(t, q)
      expect(at(percentile(100), x)).toEqual({ value: 5, gradient: [6, 0, 0, 0, 0] })
      expect(at(percentile(50), x)).toEqual({ value: 3, gradient: [0, 0, 0, 0, 6] })
      expect(at(percentile(40), x)).toEqual({ value: 2, gradient: [0, 0, 0, -6, 0] })
      expect(at(percentile(0), x).value).toBe(1)
      expect(at(percentile(99.999), x, [1, 5]).value).toBe(5)
    })
    it("absPercentile: a zero that is selected gives no gradient, a tie gives it to one element", () => {
      const lowest = (t: tf.Tensor) => Statistic.absPercentile(t, 0)
      expect(at(lowest, [0, 2])).toEqual({ value: 0, gradient: [0, 0] })
      expect(at(lowest, [3, -2, 2])).toEqual({ value: 2, gradient: [0, -6, 0] })
    })
    it("absPercentile: NaN counts as the largest", () => {
      expect(at((t) => Statistic.absPercentile(t, 100), [3, Number.NaN, 1]).value).toBe(Number.NaN)
      expect(at((t) => Statistic.absPercentile(t, 50), [3, Number.NaN, 1]).value).toBe(3)
    })
    it("highRank is computed from left to right", () => {
      expect([Statistic.highRank(99.999, 100), Statistic.highRank(50, 3), Statistic.highRank(7, 100)]).toEqual([
        100, 2, 7
      ])
    })
    it("no tensor is left behind", () => {
      const before = tf.memory().numTensors
      for (const f of [Statistic.absMax, Statistic.absMean]) at(f, [1, 2, 3])
      at((t) => Statistic.absPercentile(t, 50), [1, 2, 3])
      expect(tf.memory().numTensors).toBe(before)
    })
  })
