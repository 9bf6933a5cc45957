import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Norm from "../../src/op/Norm.ts"
import * as Percentile from "../../src/op/Percentile.ts"
import * as Statistic from "../../src/op/Statistic.ts"

type Op = (x: tf.Tensor, reduction?: Statistic.Reduction) => tf.Tensor

/** The statistic of `x`, and its gradient where 6 comes in everywhere. */
const at = (f: (x: tf.Tensor) => tf.Tensor, x: ReadonlyArray<number>, shape: ReadonlyArray<number> = [x.length]) =>
  tf.tidy(() => {
    const input = tf.tensor([...x], [...shape], "float32")
    const value = f(input)
    const gradient = tf.grad(f)(input, tf.fill(value.shape, 6))
    expect(gradient.shape).toEqual(shape)
    return { shape: value.shape, value: [...value.dataSync()], gradient: Array.from(gradient.dataSync(), (y) => y + 0) }
  })
const scalar = (f: Op, x: ReadonlyArray<number>, shape?: ReadonlyArray<number>) => {
  const { shape: reduced, value, gradient } = at((t) => f(t), x, shape)
  expect(reduced).toEqual([])
  return { value: value[0], gradient }
}

const statistics: Readonly<Record<string, Op>> = {
  absMax: Statistic.absMax,
  absMinMax: Statistic.absMinMax,
  negativeMinOrZero: Statistic.negativeMinOrZero,
  absMean: Statistic.absMean,
  absMaxMean: Statistic.absMaxMean,
  absMaxL2: Statistic.absMaxL2,
  l1: Norm.l1,
  l2: Norm.l2,
  meanSigmaStd: (x, reduction) => Statistic.meanSigmaStd(x, 2, 1e-8, reduction),
  absPercentile: (x, reduction) => Percentile.absPercentile(x, 100, reduction),
  percentileInterval: (x, reduction) => Percentile.percentileInterval(x, 1, 100, reduction)
}

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`Statistic on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("absMax: the gradient goes to the largest magnitude, with its sign", () => {
      expect(scalar(Statistic.absMax, [1, -4, 3])).toEqual({ value: 4, gradient: [0, -6, 0] })
      expect(scalar(Statistic.absMax, [1, 2, -3, 0], [2, 2])).toEqual({ value: 3, gradient: [0, 0, -6, 0] })
    })
    it("absMax: ties share the gradient over everything; along an axis the first has it", () => {
      expect(scalar(Statistic.absMax, [2, -2, 1, 2])).toEqual({ value: 2, gradient: [2, -2, 0, 2] })
      expect(scalar(Statistic.absMax, [0, 0])).toEqual({ value: 0, gradient: [0, 0] })
      for (const keepDims of [false, true])
        expect(at((x) => Statistic.absMax(x, { axis: 1, keepDims }), [1, -2, 2, -3, 3, -3], [2, 3])).toEqual({
          shape: keepDims ? [2, 1] : [2],
          value: [2, 3],
          gradient: [0, -6, 0, -6, 0, 0]
        })
      expect(at((x) => Statistic.absMax(x, { axis: 0 }), [1, -2, 2, -1, 3, -3], [2, 3])).toEqual({
        shape: [3],
        value: [1, 3, 3],
        gradient: [6, 0, 0, 0, 6, -6]
      })
    })
    it("absMinMax: what is positive does not count below", () => {
      expect(scalar(Statistic.absMinMax, [3, 1, 3])).toEqual({ value: 3, gradient: [3, 0, 3] })
      expect(scalar(Statistic.absMinMax, [-3, 1, -3])).toEqual({ value: 4, gradient: [-3, 6, -3] })
      expect(at((x) => Statistic.absMinMax(x, { axis: 1 }), [-3, 1, -3], [1, 3]).gradient).toEqual([-6, 6, 0])
    })
    it("negativeMinOrZero: 0 passes the gradient, what is positive does not", () => {
      expect(scalar(Statistic.negativeMinOrZero, [0, 2])).toEqual({ value: 0, gradient: [6, 0] })
      expect(scalar(Statistic.negativeMinOrZero, [1, 2])).toEqual({ value: 0, gradient: [0, 0] })
      expect(scalar(Statistic.negativeMinOrZero, [-1, 2, -1])).toEqual({ value: -1, gradient: [3, 0, 3] })
    })
    it("absMean: the gradient has the signs, and is 0 at zero", () => {
      expect(scalar(Statistic.absMean, [1, -4, 0, 3])).toEqual({ value: 2, gradient: [1.5, -1.5, 0, 1.5] })
    })
    it("sums do not lose small terms", () => {
      const many = new Array<number>(300_000).fill(0.1)
      expect(scalar(Statistic.absMean, many).value).toBeCloseTo(0.1, 7)
      expect(scalar(Norm.l1, many).value).toBeCloseTo(30_000, 2)
    })
    it("meanSigmaStd: one for each slice as a vector; a sigma for each", () => {
      const x = [1, -3, 2, 2, 5, -5]
      expect(at((t) => Statistic.meanSigmaStd(t, tf.tensor1d([1, 10]), 0, { axis: 1 }), x, [2, 3]).value).toEqual(
        [3, 4 + 10 * Math.fround(Math.sqrt(3))].map((y) => expect.closeTo(y, 4))
      )
      expect(at((t) => Statistic.meanSigmaStd(t, 1, 0, { axis: 1, keepDims: true }), x, [2, 3]).shape).toEqual([2, 1])
      expect(at((t) => Statistic.meanSigmaStd(t, 1, 0, { axis: 2 }), x, [1, 2, 3]).shape).toEqual([2])
    })
    it("l2: squares over- and underflow as float32 does, without a gradient; 0 has none", () => {
      expect(scalar(Norm.l2, [3, -4])).toEqual({ value: 5, gradient: [3.6, -4.8].map(Math.fround) })
      expect(scalar(Norm.l2, [1e30, 1])).toEqual({ value: Number.POSITIVE_INFINITY, gradient: [0, 0] })
      expect(scalar(Norm.l2, [1e-40, 0])).toEqual({ value: 0, gradient: [0, 0] })
    })

    it.each(Object.entries(statistics))("%s: NaN is not swallowed wherever it is", (_, f) => {
      for (const n of [2, 7, 64, 1000])
        for (const place of [0, 1, n >> 1, n - 2, n - 1]) {
          const x = Array.from({ length: n }, (_, i) => (i === place ? Number.NaN : i - 3))
          expect(scalar(f, x).value).toBe(Number.NaN)
          expect(at((t) => f(t, { axis: 0 }), x, [n, 1]).value[0]).toBe(Number.NaN)
        }
    })
    it("the gradient of an extremum that is NaN goes to NaN", () => {
      expect(scalar(Statistic.absMax, [1, Number.NaN]).gradient).toEqual([0, 0])
      expect(at((t) => Statistic.negativeMinOrZero(t, { axis: 0 }), [1, Number.NaN]).gradient).toEqual([0, 0])
    })
    it("infinities are extremes", () => {
      expect(scalar(Statistic.absMax, [1, Number.NEGATIVE_INFINITY]).value).toBe(Number.POSITIVE_INFINITY)
      const low = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
      expect(scalar(Statistic.negativeMinOrZero, low)).toEqual({ value: low[0], gradient: [3, 3] })
      expect(at((t) => Statistic.absMinMax(t, { axis: 0 }), low).value).toEqual([Number.NaN])
    })
    it.each(Object.entries(statistics))(
      "%s: of nothing NaN comes (0 from a norm), and no slices give none",
      (name, f) => {
        const nothing = name === "l1" || name === "l2" ? 0 : Number.NaN
        expect(scalar(f, [], [0, 3])).toEqual({ value: nothing, gradient: [] })
        const mean = name === "absMaxMean" || name === "absMaxL2"
        expect(at((t) => f(t, { axis: 0 }), [], [0, 3]).value).toEqual(
          mean ? [Number.NaN] : [nothing, nothing, nothing]
        )
        expect(at((t) => f(t, { axis: 1 }), [], [0, 3]).value).toEqual(mean ? [Number.NaN] : [])
      }
    )
    it.each(Object.entries(statistics))(
      "%s: a scalar is its own only element, a negative axis counts from the end",
      (_, f) => {
        expect(at((t) => f(t), [-2], []).shape).toEqual([])
        const x = [1, 2, -3, 4, 5, -6.5, 7, 8]
        const last = at((t) => f(t, { axis: -1 }), x, [2, 2, 2])
        expect(last).toEqual(at((t) => f(t, { axis: 2 }), x, [2, 2, 2]))
      }
    )
    it("no tensor is left behind", () => {
      const before = tf.memory().numTensors
      for (const f of Object.values(statistics)) {
        scalar(f, [1, 2, 3])
        at((t) => f(t, { axis: 1, keepDims: true }), [1, 2, 3, 4], [2, 2])
      }
      expect(tf.memory().numTensors).toBe(before)
    })
  })
