import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import { BitWidthConst } from "../../src/core/BitWidth.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Clamp from "../../src/core/Clamp.ts"
import * as IntQuant from "../../src/core/IntQuant.ts"
import * as IntScaling from "../../src/core/IntScaling.ts"
import * as Restriction from "../../src/core/Restriction.ts"
import * as Rounding from "../../src/core/Rounding.ts"
import * as Statistic from "../../src/core/Statistic.ts"
import * as StatsScaling from "../../src/core/StatsScaling.ts"
import { ZeroZeroPoint } from "../../src/core/ZeroPoint.ts"

const numbers = (t: tf.Tensor): ReadonlyArray<number> => Array.from(t.dataSync())
const range = { signed: false, narrowRange: false }

/** A quantizer of scales: 2 unsigned bits, one scale over all of them. */
const ofScales = () =>
  IntQuant.RescalingIntQuant({
    intQuant: IntQuant.IntQuant({
      floatToIntImpl: Rounding.RoundSte({}),
      tensorClampImpl: Clamp.TensorClampSte({}),
      ...range
    }),
    scalingImpl: StatsScaling.StatsFromParameterScaling({ scalingStatsImpl: Statistic.AbsMax({}) }),
    intScalingImpl: IntScaling.IntScaling(range),
    zeroPointImpl: ZeroZeroPoint({}),
    bitWidthImpl: BitWidthConst({ bitWidth: 2 })
  })

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`Restriction on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("powers of two are exact at every exponent, whichever rounding", () =>
      void tf.tidy(() => {
        const exponents = Array.from({ length: 253 }, (_, i) => i - 126)
        const powers = exponents.map((n) => 2 ** n)
        for (const rounding of [Rounding.RoundSte({}), Rounding.CeilSte({}), Rounding.FloorSte({})]) {
          const self = Restriction.PowerOfTwoRestrictValue({ restrictValueFloatToIntImpl: rounding })
          expect(numbers(self.apply(self.init(tf.tensor1d(powers))))).toEqual(powers)
        }
        const ceil = Restriction.PowerOfTwoRestrictValue({ restrictValueFloatToIntImpl: Rounding.CeilSte({}) })
        expect(numbers(ceil.apply(ceil.init(tf.tensor1d([1, 1.01, 127, 0.3]))))).toEqual([1, 2, 128, 0.5])
      }))

    it("NaN and infinities stay visible", () =>
      void tf.tidy(() => {
        const x = tf.tensor1d([Number.NaN, Number.POSITIVE_INFINITY])
        for (const self of [
          Restriction.FloatRestrictValue({}),
          Restriction.LogFloatRestrictValue({}),
          Restriction.IntRestrictValue({}),
          Restriction.PowerOfTwoRestrictValue({})
        ])
          expect(numbers(self.apply(self.init(x)))).toEqual([Number.NaN, Number.POSITIVE_INFINITY])
        const log = Restriction.LogFloatRestrictValue({})
        expect(numbers(log.init(tf.tensor1d([-1, 0])))).toEqual([Number.NaN, Number.NEGATIVE_INFINITY])
      }))

    it("QuantRestrictValue: scales lie on the grid of the inner quantizer, which learns nothing", () => {
      const inner = ofScales()
      const self = Restriction.QuantRestrictValue({ restrictValueFloatToIntImpl: inner, scaleDequantizedShape: [4, 1] })
      tf.tidy(() => {
        // one step is 3 / 3
        const made = self.apply(self.init(tf.tensor1d([3, 1.4, 0.9, 0.1])))
        expect([made.shape, numbers(made)]).toEqual([
          [4, 1],
          [3, 1, 1, 0]
        ])
        expect([self.parameters, self.memory, self.initLabel]).toEqual([{}, {}, "Identity"])
        const grad = tf.grad((v: tf.Tensor) => tf.sum(self.apply(v)))(tf.tensor1d([3, 1.4, 0.9, 0.1]))
        // straight through all but the largest, which the step depends on as well
        expect(numbers(grad).slice(1)).toEqual([1, 1, 1])
      })
      const scaling = StatsScaling.StatsFromParameterScaling({
        scalingStatsImpl: Statistic.AbsMax({ statsReduceDim: 1 }),
        scalingShape: [3, 1],
        restrictScalingImpl: Restriction.QuantRestrictValue({ restrictValueFloatToIntImpl: inner }),
        restrictThresholdImpl: Restriction.FloatRestrictValue({}),
        scalingMinVal: 0.25
      })
      tf.tidy(() => {
        const x = tf.tensor2d([-3, 1, 1.4, 0, 0.1, -0.2], [3, 2])
        const state = { parameters: {}, memory: {}, training: false }
        // the last one is rounded to 0 and held at the minimum
        expect(numbers(scaling.apply(state, x, tf.scalar(2))[0])).toEqual([1.5, 0.5, 0.125])
      })
      expect(scaling.own).toEqual([])
      Brick.dispose(scaling)
    })

    it("no tensor is left", () => {
      const before = tf.memory().numTensors
      const self = Restriction.QuantRestrictValue({ restrictValueFloatToIntImpl: ofScales() })
      tf.tidy(() => self.apply(tf.tensor1d([1, 2])).dataSync())
      Brick.dispose(self)
      expect(tf.memory().numTensors).toBe(before)
    })
  })
