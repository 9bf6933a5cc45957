import "@tensorflow/tfjs-backend-cpu"
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Percentile from "../../src/op/Percentile.ts"

/** The value, and the gradient where 6 comes in. */
const at = (f: (x: tf.Tensor) => tf.Tensor, x: ReadonlyArray<number>, shape: ReadonlyArray<number> = [x.length]) =>
  tf.tidy(() => {
    const input = tf.tensor([...x], [...shape])
    const value = f(input)
    const gradient = tf.grad(f)(input, tf.fill(value.shape, 6))
    return { shape: value.shape, value: [...value.dataSync()], gradient: Array.from(gradient.dataSync(), (y) => y + 0) }
  })
const high = (q: number, axis?: number) => (x: tf.Tensor) => Percentile.absPercentile(x, q, { axis })
const low = (q: number, axis?: number) => (x: tf.Tensor) => Percentile.negativePercentileOrZero(x, q, { axis })

describe("Percentile", () => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.cpu, { local: true }))))

  it("absPercentile: the k-th smallest, k = floor(q n / 100 + 1 / 2)", () => {
    const x = [5, -1, 4, -2, 3]
    expect(at(high(100), x)).toEqual({ shape: [], value: [5], gradient: [6, 0, 0, 0, 0] })
    expect(at(high(50), x)).toEqual({ shape: [], value: [3], gradient: [0, 0, 0, 0, 6] })
    expect(at(high(40), x)).toEqual({ shape: [], value: [2], gradient: [0, 0, 0, -6, 0] })
    expect(at(high(0), x).value).toEqual([1])
    expect(at(high(99.999), x, [1, 5]).value).toEqual([5])
  })
  it("negativePercentileOrZero: the k-th smallest, k = ceil(q n / 100) from left to right", () => {
    const x = Array.from({ length: 100 }, (_, i) => i - 100)
    expect(at(low(7), x).value).toEqual([-93])
    expect(at(low(6), x).value).toEqual([-95])
    expect(at(low(100), [1, 2])).toEqual({ shape: [], value: [0], gradient: [0, 0] })
  })
  it("percentileInterval: from the lower, if negative, to the higher", () => {
    const between = (x: tf.Tensor) => Percentile.percentileInterval(x, 1, 100)
    expect(at(between, [-3, 2, 1])).toEqual({ shape: [], value: [5], gradient: [-6, 6, 0] })
    expect(at(between, [3, 2, 1])).toEqual({ shape: [], value: [3], gradient: [6, 0, 0] })
  })
  it("along any axis of any rank each slice has its own", () => {
    const x = [1, -9, 3, 4, 5, -2, 7, 8]
    expect(at(high(100, 0), x, [2, 2, 2])).toEqual({
      shape: [2, 2],
      value: [5, 9, 7, 8],
      gradient: [0, -6, 0, 0, 6, 0, 6, 6]
    })
    expect(at(high(50, 1), x, [2, 2, 2]).value).toEqual([1, 4, 5, 2])
    expect(at(low(50, -1), x, [4, 2])).toEqual({
      shape: [4],
      value: [-9, 0, -2, 0],
      gradient: [0, 6, 0, 0, 0, 6, 0, 0]
    })
  })
  it("a zero that is selected gives no gradient, a tie gives it to the first", () => {
    expect(at(high(0), [0, 2])).toEqual({ shape: [], value: [0], gradient: [0, 0] })
    expect(at(high(0), [3, -2, 2])).toEqual({ shape: [], value: [2], gradient: [0, -6, 0] })
  })
  it("NaN counts as the largest", () => {
    expect(at(high(100), [3, Number.NaN, 1]).value).toEqual([Number.NaN])
    expect(at(high(50), [3, Number.NaN, 1]).value).toEqual([3])
    expect(at(low(1), [Number.NaN, Number.NaN]).value).toEqual([Number.NaN])
  })
  it("agrees with sorting on a million elements", () =>
    tf.tidy(() => {
      const x = tf.randomNormal([1000, 1000], 0, 1, "float32", 5)
      const sorted = Float32Array.from(x.dataSync(), Math.abs).sort()
      for (const q of [0.01, 50, 99.999])
        expect(Percentile.absPercentile(x, q).dataSync()[0]).toBe(sorted[Math.floor(0.01 * q * 1e6 + 0.5) - 1])
    }))
})
