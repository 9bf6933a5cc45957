import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as BitWidth from "../../src/core/BitWidth.ts"
import * as Clamp from "../../src/core/Clamp.ts"
import * as FloatQuant from "../../src/core/FloatQuant.ts"
import * as FloatScaling from "../../src/core/FloatScaling.ts"
import * as IntQuant from "../../src/core/IntQuant.ts"
import * as IntScaling from "../../src/core/IntScaling.ts"
import * as MeanSquaredError from "../../src/core/MeanSquaredError.ts"
import * as OptimalScale from "../../src/core/OptimalScale.ts"
import * as Rounding from "../../src/core/Rounding.ts"
import * as Statistic from "../../src/core/Statistic.ts"
import * as StatsScaling from "../../src/core/StatsScaling.ts"
import * as TensorQuantizer from "../../src/core/TensorQuantizer.ts"
import * as View from "../../src/core/View.ts"
import * as ZeroPoint from "../../src/core/ZeroPoint.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"

const narrow = { signed: true, narrowRange: true }
const unsigned = { signed: false, narrowRange: false }
const bitWidth = 4
const byRow = { statsReduceDim: 1, keepdim: true }

const quantizer = (
  range: { readonly signed: boolean; readonly narrowRange: boolean },
  scalingStatsImpl: Statistic.Statistic,
  zeroPointStatsImpl?: Statistic.Statistic
): TensorQuantizer.TensorQuantizer => {
  const host = { ...range, floatToIntImpl: Rounding.RoundSte({}), tensorClampImpl: Clamp.TensorClamp({}) }
  return IntQuant.RescalingIntQuant({
    intQuant: IntQuant.IntQuant(host),
    scalingImpl: StatsScaling.StatsFromParameterScaling({ scalingStatsImpl, scalingMinVal: 1e-10 }),
    intScalingImpl: IntScaling.IntScaling(range),
    zeroPointImpl:
      zeroPointStatsImpl === undefined
        ? ZeroPoint.ZeroZeroPoint({})
        : ZeroPoint.ParameterFromStatsFromParameterZeroPoint({
            zeroPointStatsImpl,
            quantizeZeroPoint: true,
            zeroPointShape: [rows.length, 1],
            ...host
          }),
    bitWidthImpl: BitWidth.BitWidthConst({ bitWidth })
  })
}
const intScalingImpl = (range: { readonly signed: boolean; readonly narrowRange: boolean }) =>
  IntScaling.IntScaling(range)
const symmetric = (more: object = {}) =>
  OptimalScale.OptimalScale({ ...narrow, bitWidth, intScalingImpl: intScalingImpl(narrow), ...more })
const asymmetric = (more: object = {}) =>
  OptimalScale.OptimalAsymmetricScale({ ...unsigned, bitWidth, intScalingImpl: intScalingImpl(unsigned), ...more })
const zeroPoint = (more: object = {}) => OptimalScale.OptimalZeroPoint({ ...unsigned, bitWidth, ...more })

const rows = Array.from({ length: 5 }, (_, r) =>
  Array.from({ length: 40 }, (_, i) => Math.sin(i * i + r) ** 3 * (r + 1) + 0.3 * r)
)
const errorsOf = (self: TensorQuantizer.TensorQuantizer): ReadonlyArray<number> =>
  tf.tidy(() => {
    const x = tf.tensor2d(rows)
    return [...tf.sum(tf.square(tf.sub(TensorQuantizer.quantize(self, x).value, x)), 1).dataSync()]
  })
const allBelow = (mine: ReadonlyArray<number>, others: ReadonlyArray<number>): void => {
  for (const [r, error] of mine.entries()) expect(error).toBeLessThan(others[r] as number)
}

const answer = (statistic: Statistic.Statistic, values: ReadonlyArray<number>): number =>
  tf.tidy(() => statistic.apply({ ...statistic, training: true }, tf.tensor1d([...values]))[0].dataSync()[0] as number)

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`OptimalScale on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("quantizes better than the largest magnitude and than a grid of candidates", () => {
      const best = errorsOf(quantizer(narrow, symmetric(byRow)))
      allBelow(best, errorsOf(quantizer(narrow, Statistic.AbsMax(byRow))))
      const grid = MeanSquaredError.MSEScale({
        mseScaleInitOp: Statistic.AbsMax(byRow),
        mseInputViewShapeImpl: View.OverOutputChannelView({}),
        statsReduceDim: 1
      })
      allBelow(best, errorsOf(quantizer(narrow, grid)))
    })
    it("with a zero-point better than smallest and largest element", () => {
      const best = errorsOf(quantizer(unsigned, asymmetric(byRow), zeroPoint(byRow)))
      const plain = quantizer(unsigned, Statistic.AbsMinMax(byRow), Statistic.NegativeMinOrZero(byRow))
      allBelow(best, errorsOf(plain))
      // the best zero-point for the scale of another statistic
      const mixed = errorsOf(quantizer(unsigned, Statistic.AbsMinMax(byRow), zeroPoint(byRow)))
      for (const [r, error] of mixed.entries()) expect(error).toBeLessThanOrEqual(errorsOf(plain)[r] as number)
      allBelow(best, mixed)
    })
    it("finds the zero-points of channels that do not come first", () => {
      const statistic = (view: View.View) =>
        zeroPoint({ ...byRow, keepdim: false, zeroPointStatsInputViewShapeImpl: view })
      const self = (axis: number) => {
        const view = View.OverOutputChannelView(axis === 0 ? {} : { permuteDims: [1, 0] })
        const host = { ...unsigned, floatToIntImpl: Rounding.RoundSte({}), tensorClampImpl: Clamp.TensorClamp({}) }
        const shape = axis === 0 ? [rows.length, 1] : [1, rows.length]
        return IntQuant.RescalingIntQuant({
          intQuant: IntQuant.IntQuant(host),
          scalingImpl: StatsScaling.StatsFromParameterScaling({
            scalingStatsImpl: asymmetric({ statsReduceDim: 1 }),
            scalingStatsInputViewShapeImpl: view,
            scalingShape: shape
          }),
          intScalingImpl: IntScaling.IntScaling(unsigned),
          zeroPointImpl: ZeroPoint.ParameterFromStatsFromParameterZeroPoint({
            zeroPointStatsImpl: statistic(view),
            zeroPointStatsInputViewShapeImpl: view,
            quantizeZeroPoint: true,
            zeroPointShape: shape,
            ...host
          }),
          bitWidthImpl: BitWidth.BitWidthConst({ bitWidth })
        })
      }
      tf.tidy(() => {
        const x = tf.tensor2d(rows)
        const zeroPoints = [x, tf.transpose(x)].map((x, axis) => [
          ...TensorQuantizer.quantize(self(axis), x).zeroPoint.dataSync()
        ])
        expect(zeroPoints[1]).toEqual(zeroPoints[0])
      })
    })
    it("of minifloats, with and without saturation", () => {
      const e2m1 = { exponentBitWidth: 2, mantissaBitWidth: 1, exponentBias: 1, signed: true }
      const self = (scalingStatsImpl: Statistic.Statistic, saturating: boolean) =>
        FloatQuant.FloatQuant({
          ...e2m1,
          bitWidth: 4,
          floatClampImpl: FloatScaling.FloatClamp({
            tensorClampImpl: Clamp.TensorClamp({}),
            signed: true,
            saturating,
            nanValues: saturating ? undefined : ["1"],
            maxAvailableFloat: saturating ? undefined : 4
          }),
          scalingImpl: StatsScaling.StatsFromParameterScaling({ scalingStatsImpl }),
          floatScalingImpl: FloatScaling.FloatScaling({ maxAvailableFloat: saturating ? undefined : 4 })
        })
      for (const saturating of [true, false]) {
        const max = saturating ? undefined : 4
        const best = OptimalScale.OptimalScaleMinifloat({
          ...e2m1,
          ...byRow,
          saturating,
          maxAvailableFloat: max,
          floatScalingImpl: FloatScaling.FloatScaling({ maxAvailableFloat: max })
        })
        const errors = errorsOf(self(best, saturating))
        expect(errors.every(Number.isFinite)).toBe(true)
        const plain = errorsOf(self(Statistic.AbsMax(byRow), saturating))
        for (const [r, error] of errors.entries()) expect(error).toBeLessThanOrEqual(plain[r] as number)
      }
    })
    it("zeros answer 0, what is not finite NaN, an empty tensor 0", () => {
      for (const statistic of [symmetric(), asymmetric()]) {
        expect(answer(statistic, [0, 0, 0])).toBe(0)
        expect(answer(statistic, [])).toBe(0)
        expect(answer(statistic, [1, Number.NaN])).toBe(Number.NaN)
        expect(answer(statistic, [1, Number.NEGATIVE_INFINITY])).toBe(Number.NaN)
      }
      expect(answer(zeroPoint(), [1, -2])).toBe(-2)
      expect(
        tf.tidy(() => symmetric(byRow).apply({ ...symmetric(), training: true }, tf.zeros([3, 2]))[0].shape)
      ).toEqual([3, 1])
    })
    it("has no gradient, and leaves nothing behind", () => {
      const statistic = symmetric(byRow)
      const x = tf.tensor2d(rows)
      const before = tf.memory().numTensors
      tf.tidy(() => {
        const f = ([given]: ReadonlyArray<tf.Tensor>) =>
          statistic.apply({ ...statistic, training: true }, given as tf.Tensor)[0]
        expect(Gradient.valueAndGradients(f, [x]).gradients).toEqual([null])
      })
      expect(tf.memory().numTensors).toBe(before)
      x.dispose()
    })
    it("bit-widths that cannot be are refused", () => {
      for (const wrong of [0, -1, 2.5, 33, Number.NaN]) {
        expect(() => symmetric({ bitWidth: wrong })).toThrow(/bitWidth/)
        expect(() => asymmetric({ bitWidth: wrong })).toThrow(/bitWidth/)
        expect(() => zeroPoint({ bitWidth: wrong })).toThrow(/bitWidth/)
      }
      expect(() => symmetric({ bitWidth: 1 })).toThrow(/bitWidth/)
      const wide = { exponentBitWidth: 8, mantissaBitWidth: 7, exponentBias: 127, signed: true }
      expect(() => OptimalScale.OptimalScaleMinifloat(wide)).toThrow(/exponentBitWidth/)
    })
  })
