import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as BinaryQuant from "../../src/core/BinaryQuant.ts"
import * as BitWidth from "../../src/core/BitWidth.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Clamp from "../../src/core/Clamp.ts"
import * as HalfQuadratic from "../../src/core/HalfQuadratic.ts"
import * as IntQuant from "../../src/core/IntQuant.ts"
import * as IntScaling from "../../src/core/IntScaling.ts"
import * as MeanSquaredError from "../../src/core/MeanSquaredError.ts"
import * as Rounding from "../../src/core/Rounding.ts"
import * as RuntimeScaling from "../../src/core/RuntimeScaling.ts"
import * as RuntimeZeroPoint from "../../src/core/RuntimeZeroPoint.ts"
import * as Statistic from "../../src/core/Statistic.ts"
import * as StatsScaling from "../../src/core/StatsScaling.ts"
import * as TensorQuantizer from "../../src/core/TensorQuantizer.ts"
import * as TernaryQuant from "../../src/core/TernaryQuant.ts"
import * as View from "../../src/core/View.ts"
import * as ZeroPoint from "../../src/core/ZeroPoint.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"

const bits = (bitWidth: number) => BitWidth.BitWidthConst({ bitWidth })
const signedRange = { signed: true, narrowRange: true }
const unsigned = { signed: false, narrowRange: false }
const host = (range: { signed: boolean; narrowRange: boolean }) => ({
  ...range,
  floatToIntImpl: Rounding.RoundSte({}),
  tensorClampImpl: Clamp.TensorClamp({})
})

const mse = (more: object = {}) => ({ mseInputViewShapeImpl: View.OverTensorView({}), ...more })
const mseScale = (more: object = {}) =>
  MeanSquaredError.MSEScale({ mseScaleInitOp: Statistic.AbsMax({}), ...mse(more) })
const hqoScale = () =>
  HalfQuadratic.HalfQuadraticOptimizerScale({
    hqoInitOpScale: Statistic.AbsMax({}),
    hqoInputViewShapeImpl: View.OverTensorView({}),
    intScalingImpl: IntScaling.IntScaling(signedRange),
    bitWidthImpl: bits(4)
  })
const statistics: Readonly<Record<string, () => Statistic.Statistic>> = {
  "MSE by a grid": mseScale,
  "MSE by Fibonacci": () => mseScale({ mseSearchMethod: "fibonacci" }),
  "half-quadratic": hqoScale
}

const symmetric = (scalingStatsImpl: Statistic.Statistic, more: object = {}): TensorQuantizer.TensorQuantizer =>
  IntQuant.RescalingIntQuant({
    intQuant: IntQuant.IntQuant(host(signedRange)),
    scalingImpl: StatsScaling.StatsFromParameterScaling({ scalingStatsImpl, scalingMinVal: 1e-10, ...more }),
    intScalingImpl: IntScaling.IntScaling(signedRange),
    zeroPointImpl: ZeroPoint.ZeroZeroPoint({}),
    bitWidthImpl: bits(4)
  })

const x = [0.1, -0.62, 0.33, 0.48, -0.07, 0.21, 3, -0.55]
const scaleOf = (quantizer: TensorQuantizer.TensorQuantizer, values: ReadonlyArray<number>): number =>
  tf.tidy(() => TensorQuantizer.quantize(quantizer, tf.tensor1d([...values])).scale.dataSync()[0] as number)

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`Search on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    describe.each(Object.entries(statistics))("%s", (_, make) => {
      it("answers its initial statistic where there is nothing to try with", () => {
        const answer = tf.tidy(() => {
          const brick = make()
          return brick.apply({ ...brick, training: true }, tf.tensor1d(x))[0].dataSync()[0]
        })
        expect(answer).toBe(3)
      })
      it("NaN stays NaN, zeros have the smallest scale", () => {
        expect(scaleOf(symmetric(make()), [1, Number.NaN, 2])).toBe(Number.NaN)
        expect(scaleOf(symmetric(make()), [0, 0])).toBeCloseTo(1e-10 / 7, 16)
      })
      it("has no gradient: the tensor learns through the integers alone", () => {
        const before = tf.memory().numTensors
        tf.tidy(() => {
          const quantizer = symmetric(make())
          const input = tf.tensor1d(x)
          const through = (y: (q: TensorQuantizer.Quantized) => tf.Tensor) =>
            Gradient.valueAndGradients(([given]) => y(TensorQuantizer.quantize(quantizer, given as tf.Tensor)), [input])
              .gradients[0]
          expect(through(({ scale }) => scale)).toBeNull()
          expect(through(({ value }) => value)?.shape).toEqual([8])
        })
        expect(tf.memory().numTensors).toBe(before)
      })
      it("leaves nothing behind", () => {
        const quantizer = symmetric(make())
        const input = tf.tensor1d(x)
        const before = tf.memory().numTensors
        tf.tidy(() => TensorQuantizer.quantize(quantizer, input).value.dataSync())
        expect(tf.memory().numTensors).toBe(before)
        Brick.dispose(quantizer)
        input.dispose()
      })
    })

    it("what it minimizes is no worse than with the initial statistic", () => {
      const errorOf = (statistic: Statistic.Statistic, power: number): number =>
        tf.tidy(() => {
          const input = tf.tensor1d(Array.from({ length: 60 }, (_, i) => Math.sin(i * i) ** 5))
          const { value } = TensorQuantizer.quantize(symmetric(statistic), input)
          return tf.sum(tf.pow(tf.abs(tf.sub(value, input)), power)).dataSync()[0] as number
        })
      expect(errorOf(mseScale(), 2)).toBeLessThan(errorOf(Statistic.AbsMax({}), 2))
      expect(errorOf(hqoScale(), 1)).toBeLessThanOrEqual(errorOf(Statistic.AbsMax({}), 1))
    })
    it("the scale of signs is searched for, too: from the weights at the first call, and from what runs through", () => {
      const scalingStatsImpl = mseScale()
      const learned = () => StatsScaling.ParameterFromStatsFromParameterScaling({ scalingStatsImpl })
      const collected = () =>
        RuntimeScaling.ParameterFromRuntimeStatsScaling({ scalingStatsImpl, collectStatsSteps: 1 })
      const quantizers = [
        BinaryQuant.BinaryQuant({ scalingImpl: learned() }),
        BinaryQuant.ClampedBinaryQuant({ scalingImpl: collected() }),
        TernaryQuant.TernaryQuant({ scalingImpl: learned(), threshold: 0.5 })
      ]
      const found = quantizers.map((quantizer) =>
        tf.tidy(() => TensorQuantizer.quantize(quantizer, tf.tensor1d(x), true).scale.dataSync()[0] as number)
      )
      // of the candidates 0.3, 0.45, ... 3 the smallest squared error: the mean magnitude is 0.67
      const error = (levels: (magnitude: number, s: number) => number) => (s: number) =>
        x.reduce((sum, v) => sum + (Math.abs(v) - levels(Math.abs(v), s)) ** 2, 0)
      const best = (loss: (s: number) => number): number =>
        Array.from({ length: 19 }, (_, i) => 0.15 * (i + 2)).reduce((a, b) => (loss(b) < loss(a) ? b : a))
      const binary = best(error((_, s) => s))
      const ternary = best(error((v, s) => (v > 0.5 * s ? s : 0)))
      expect([binary, ternary]).toEqual([0.6, 3].map((s) => expect.closeTo(s, 6)))
      expect(found).toEqual([binary, binary, ternary].map((s) => expect.closeTo(s, 6)))
    })
    it("searches each slice by itself", () => {
      const rows = [x, x.map((v) => v * 8)]
      const channels = symmetric(
        MeanSquaredError.MSEScale({
          mseScaleInitOp: Statistic.AbsMax({ statsReduceDim: 1 }),
          mseInputViewShapeImpl: View.OverOutputChannelView({}),
          statsReduceDim: 1
        }),
        { scalingShape: [2, 1] }
      )
      const found = tf.tidy(() => TensorQuantizer.quantize(channels, tf.tensor2d(rows)).scale.dataSync())
      expect([...found]).toEqual(rows.map((row) => scaleOf(symmetric(mseScale()), row)))
      // an initial statistic for all of them: candidates of their own nevertheless
      const shared = symmetric(
        MeanSquaredError.MSEScale({
          mseScaleInitOp: Statistic.AbsMax({}),
          mseInputViewShapeImpl: View.OverOutputChannelView({}),
          statsReduceDim: 1
        }),
        { scalingShape: [2, 1] }
      )
      const [small, large] = tf.tidy(() => TensorQuantizer.quantize(shared, tf.tensor2d(rows)).scale.dataSync())
      expect(small).toBeLessThan(large as number)
    })
    describe("channels need not come first", () => {
      const view = (axis: number) => View.OverOutputChannelView(axis === 0 ? {} : { permuteDims: [1, 0] })
      const byChannel: Readonly<Record<string, (axis: number) => Statistic.Statistic>> = {
        MSE: (axis) =>
          MeanSquaredError.MSEScale({
            mseScaleInitOp: Statistic.AbsMax({ statsReduceDim: 1 }),
            mseInputViewShapeImpl: view(axis),
            statsReduceDim: 1
          }),
        HQO: (axis) =>
          HalfQuadratic.HalfQuadraticOptimizerScale({
            hqoInitOpScale: Statistic.AbsMax({ statsReduceDim: 1 }),
            hqoInputViewShapeImpl: view(axis),
            intScalingImpl: IntScaling.IntScaling(signedRange),
            bitWidthImpl: bits(4),
            statsReduceDim: 1
          })
      }
      it.each(Object.entries(byChannel))("%s, of one weight and of two that share the quantizer", (_, make) => {
        tf.tidy(() => {
          const rows = tf.tensor2d([x, x.map((v) => v * v)])
          const more = tf.mul(rows, 0.7)
          const scalesOf = (axis: number, count: number): ReadonlyArray<number> => {
            const quantizer = symmetric(make(axis), {
              scalingStatsInputViewShapeImpl: view(axis),
              scalingStatsInputConcatDim: 1,
              scalingShape: axis === 0 ? [2, 1] : [1, 2]
            })
            const tracked = [rows, more].slice(0, count).map((w) => (axis === 0 ? w : tf.transpose(w)))
            const state = { ...quantizer, training: true, tracked }
            return [
              ...quantizer.apply({ ...state, ...quantizer.prepare(state) }, tracked[0] as tf.Tensor)[0].scale.dataSync()
            ]
          }
          for (const count of [1, 2]) expect(scalesOf(1, count)).toEqual(scalesOf(0, count))
        })
      })
    })

    describe("of what runs through", () => {
      const zeroPoints = {
        MSE: () => MeanSquaredError.MSEZeroPoint({ mseZeroPointInitOp: Statistic.NegativeMinOrZero({}), ...mse() }),
        HQO: () =>
          HalfQuadratic.HalfQuadraticOptimizerZeroPoint({
            hqoInitOpZp: Statistic.NegativeMinOrZero({}),
            hqoInputViewShapeImpl: View.OverTensorView({})
          })
      }
      const activation = (zeroPointStatsImpl: Statistic.Statistic) =>
        IntQuant.RescalingIntQuant({
          intQuant: IntQuant.IntQuant(host(unsigned)),
          scalingImpl: RuntimeScaling.ParameterFromRuntimeStatsScaling({
            scalingStatsImpl: MeanSquaredError.MSEScale({ mseScaleInitOp: Statistic.AbsMinMax({}), ...mse() }),
            collectStatsSteps: 2
          }),
          intScalingImpl: IntScaling.IntScaling(unsigned),
          zeroPointImpl: RuntimeZeroPoint.ParameterFromRuntimeZeroPoint({
            zeroPointStatsImpl,
            collectStatsSteps: 2,
            quantizeZeroPoint: true,
            ...host(unsigned)
          }),
          bitWidthImpl: bits(4)
        })
      it.each(Object.entries(zeroPoints))("%s remembers, and is learned after the last step", (_, make) => {
        tf.tidy(() => {
          const quantizer = activation(make())
          let state: Brick.State = { ...quantizer, training: true }
          for (let step = 0; step < 3; step++) {
            const prepared = { ...state, ...quantizer.prepare(state) }
            const [{ scale, zeroPoint }, memory] = quantizer.apply(prepared, tf.tensor1d(x.map((v) => v - step)))
            expect(Number.isInteger(zeroPoint.dataSync()[0])).toBe(true)
            expect(scale.dataSync()[0]).toBeGreaterThan(0)
            state = { ...prepared, memory }
            const found = (memory.zeroPointImpl as any).zeroPointStatsImpl
            expect(found.found).toBe(1)
          }
          expect((state.memory.zeroPointImpl as any).counter).toBe(3)
        })
      })
    })

    it("options that cannot be are refused", () => {
      const option = (make: () => unknown): string => {
        try {
          make()
        } catch (error) {
          return (error as { readonly option: string }).option
        }
        return "none"
      }
      const hqo = (more: object) => () =>
        HalfQuadratic.HalfQuadraticOptimizerZeroPoint({
          hqoInitOpZp: Statistic.NegativeMinOrZero({}),
          hqoInputViewShapeImpl: View.OverTensorView({}),
          ...more
        })
      expect(option(() => mseScale({ mseIters: 1 }))).toBe("mseIters")
      expect(option(() => mseScale({ mseIters: 2.5 }))).toBe("mseIters")
      expect(option(() => mseScale({ mseIters: 2 }))).toBe("none")
      expect(option(hqo({ hqoBetaZp: 0 }))).toBe("hqoBetaZp")
      expect(option(hqo({ hqoKappaZp: Number.NaN }))).toBe("hqoKappaZp")
      expect(option(hqo({ hqoItersZp: 0 }))).toBe("hqoItersZp")
    })
  })
