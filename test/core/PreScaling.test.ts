import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import { BitWidthConst } from "../../src/core/BitWidth.ts"
import * as Brick from "../../src/core/Brick.ts"
import type * as Module from "../../src/core/Module.ts"
import * as PreScaling from "../../src/core/PreScaling.ts"
import * as Restriction from "../../src/core/Restriction.ts"
import * as Scaling from "../../src/core/Scaling.ts"
import * as Statistic from "../../src/core/Statistic.ts"
import * as View from "../../src/core/View.ts"
import { PreZeroCenterZeroPoint, ZeroZeroPoint } from "../../src/core/ZeroPoint.ts"
import * as Tree from "../../src/tensor/Tree.ts"

const numbers = (t: tf.Tensor): ReadonlyArray<number> => Array.from(t.dataSync())
/** Two output channels in the last axis, as TensorFlow.js has them. */
const view = View.OverOutputChannelView({ permuteDims: [1, 0] })
const moduleOf = (weight: tf.Tensor) => ({ weight, outputChannelAxis: 1 }) as unknown as Module.Module
const partsOf = (weight: tf.Tensor) => ({
  scalingImpl: Scaling.ParameterScaling({ scalingInit: 0.5, scalingShape: [1, 2] }),
  normalizeStatsImpl: Statistic.L1Norm({ statsReduceDim: 1 }),
  scalingStatsInputViewShapeImpl: view,
  module: moduleOf(weight),
  preScalingShape: [1, 2]
})
const accumulatorBitWidthImpl = () => BitWidthConst({ bitWidth: 6 })
const centring = () =>
  PreZeroCenterZeroPoint({
    statsReduceDim: 1,
    preZeroPointShape: [1, 2],
    preZeroPointStatsInputViewShapeImpl: view
  })
const stateOf = (self: Brick.Brick) => ({ parameters: self.parameters, memory: self.memory, training: true })

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`PreScaling on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("begins as the scale itself: the learned norm is that of the weight", () =>
      void tf.tidy(() => {
        const weight = tf.tensor2d([1, -2, 3, 4], [2, 2])
        const given = { ...partsOf(weight), restrictPreScalingImpl: Restriction.LogFloatRestrictValue({}) }
        const self = PreScaling.ParameterPreScalingWeightNorm(given)
        expect(Tree.leaves(self.parameters).map(([name]) => name)).toEqual(["value", "scalingImpl.value"])
        expect(numbers(self.parameters.value as tf.Tensor)).toEqual([Math.log2(4), Math.fround(Math.log2(6))])
        const [y] = self.apply(stateOf(self), weight)
        expect(y.shape).toEqual([1, 2])
        for (const scale of numbers(y)) expect(scale).toBeCloseTo(0.5, 6)
      }))

    it("no sum of products overflows, whatever the learned norm is", () =>
      void tf.tidy(() => {
        const weight = tf.tensor2d([1, -2, 3, 4, 5, -7], [3, 2])
        const self = PreScaling.AccumulatorAwareParameterPreScaling({
          ...partsOf(weight),
          accumulatorBitWidthImpl: accumulatorBitWidthImpl()
        })
        const parameters = { ...self.parameters, value: tf.tensor2d([1000, 1e-3], [1, 2]) }
        const [y] = self.apply({ ...stateOf(self), parameters }, weight, tf.scalar(2), false)
        const integers = tf.div(weight, y)
        const truncated = tf.mul(tf.floor(tf.abs(integers)), tf.sign(integers))
        const [first, second] = numbers(tf.sum(tf.abs(truncated), 0)) as [number, number]
        // inputs of 2 bits are at most 3, the accumulator of 6 bits holds 31
        expect(first * 3).toBeLessThanOrEqual(31)
        expect(first).toBeGreaterThan(5)
        expect(second).toBe(0)
        // an active bound stops the gradient of the norm
        const grad = tf.grad((value: tf.Tensor) =>
          tf.sum(self.apply({ ...stateOf(self), parameters: { ...parameters, value } }, weight, tf.scalar(2), false)[0])
        )(parameters.value)
        expect(numbers(grad).map((g) => g !== 0)).toEqual([false, true])
      }))

    it("A2Q+ takes the norm of the centred channels", () =>
      void tf.tidy(() => {
        const weight = tf.tensor2d([1, -2, 3, 4], [2, 2])
        const self = PreScaling.AccumulatorAwareZeroCenterParameterPreScaling({
          ...partsOf(weight),
          accumulatorBitWidthImpl: accumulatorBitWidthImpl(),
          preZeroPointImpl: centring()
        })
        // d = [2, 6], g / s = [8, 12], U = 62 / 3
        const [y] = self.apply(stateOf(self), weight, tf.scalar(2), true)
        // and what float32 may round away
        const sure = [(2 + 4 * 2 ** -22) / 8, (6 + 6 * 2 ** -22) / 12]
        for (const [i, scale] of numbers(y).entries()) {
          expect(scale).toBeCloseTo(sure[i] as number, 7)
          expect(scale).toBeGreaterThan([0.25, 0.5][i] as number)
        }
        expect(Object.keys(self.children)).toEqual([
          "stats",
          "statsInputViewShapeImpl",
          "scalingImpl",
          "restrictClampScaling",
          "accumulatorBitWidth",
          "preZeroPoint"
        ])
      }))

    it("a channel of zeros shows as NaN without a minimum, and has the minimum with one; NaN stays", () =>
      void tf.tidy(() => {
        const weight = tf.tensor2d([0, Number.NaN, 0, 4], [2, 2])
        const given = { ...partsOf(weight), accumulatorBitWidthImpl: accumulatorBitWidthImpl() }
        const of = (preScalingMinVal: number | undefined) => {
          const self = PreScaling.AccumulatorAwareParameterPreScaling({ ...given, preScalingMinVal })
          return numbers(self.apply(stateOf(self), weight, tf.scalar(2), false)[0])
        }
        expect([of(undefined), of(0.125)]).toEqual([
          [Number.NaN, Number.NaN],
          [0.125, Number.NaN]
        ])
      }))

    it("refuses shared weights, other zero-points, and calls without the input's format", () =>
      void tf.tidy(() => {
        const weight = tf.ones([2, 2])
        const parts = partsOf(weight)
        const module = [moduleOf(weight), moduleOf(weight)] as const
        expect(() => PreScaling.ParameterPreScalingWeightNorm({ ...parts, module })).toThrow("not shared")
        const aware = { ...parts, accumulatorBitWidthImpl: accumulatorBitWidthImpl() }
        expect(() =>
          PreScaling.AccumulatorAwareZeroCenterParameterPreScaling({ ...aware, preZeroPointImpl: ZeroZeroPoint({}) })
        ).toThrow("PreZeroCenterZeroPoint")
        const self = PreScaling.AccumulatorAwareParameterPreScaling(aware)
        expect(() => self.apply(stateOf(self), weight)).toThrow("inputBitWidth")
        expect(() => self.apply(stateOf(self), weight, tf.scalar(8))).toThrow("inputIsSigned")
      }))

    it("no tensor is left", () => {
      const before = tf.memory().numTensors
      const weight = tf.ones([2, 2])
      const self = PreScaling.ParameterPreScalingWeightNorm(partsOf(weight))
      tf.tidy(() => self.apply(stateOf(self), weight)[0].dataSync())
      expect(tf.memory().numTensors).toBe(before + 3)
      Brick.dispose(self)
      weight.dispose()
      expect(tf.memory().numTensors).toBe(before)
    })
  })
