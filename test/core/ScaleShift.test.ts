import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import { BitWidthConst } from "../../src/core/BitWidth.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Clamp from "../../src/core/Clamp.ts"
import * as IntQuant from "../../src/core/IntQuant.ts"
import { IntScaling } from "../../src/core/IntScaling.ts"
import * as Rounding from "../../src/core/Rounding.ts"
import * as ScaleShift from "../../src/core/ScaleShift.ts"
import * as Statistic from "../../src/core/Statistic.ts"
import * as StatsScaling from "../../src/core/StatsScaling.ts"
import * as ZeroPoint from "../../src/core/ZeroPoint.ts"
import { tidied } from "../reference/replay/Numbers.ts"

const numbers = (t: tf.Tensor): ReadonlyArray<number> => Array.from(t.dataSync(), (y) => y + 0)
const host = (more: Partial<ScaleShift.Given> = {}): ScaleShift.Given => ({
  signed: false,
  narrowRange: false,
  floatToIntImpl: Rounding.RoundSte({}),
  tensorClampImpl: Clamp.TensorClamp({}),
  quantizeZeroPoint: true,
  ...more
})
const idle: Brick.State = { parameters: {}, memory: {}, training: true }
const shifted = (brick: ScaleShift.ScaleShift, v: ReadonlyArray<number>, state = idle): ReadonlyArray<number> =>
  tidied(() => numbers(brick.apply(state, tf.tensor1d([...v]), tf.scalar(0.5), tf.scalar(4))[0]))

/** An 8-bit quantizer of values below 0, whose scale is learned from the first values that it sees. */
const inner = () =>
  IntQuant.RescalingIntQuant({
    intQuant: IntQuant.IntQuant(host()),
    scalingImpl: StatsScaling.ParameterFromStatsFromParameterScaling({ scalingStatsImpl: Statistic.AbsMax({}) }),
    intScalingImpl: IntScaling({ signed: false, narrowRange: false }),
    zeroPointImpl: ZeroPoint.ZeroZeroPoint({}),
    bitWidthImpl: BitWidthConst({ bitWidth: 8 })
  })

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`shifts of zero-points on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("scale and shift to the lowest integer; quantized ones are integers of the range", () => {
      expect(shifted(ScaleShift.make(host()), [0, 0.8, 1.3, 100, -3])).toEqual([0, 2, 3, 15, 0])
      expect(shifted(ScaleShift.make(host({ quantizeZeroPoint: false })), [0, 0.75, 100])).toEqual([0, 1.5, 200])
      expect(shifted(ScaleShift.make(host({ signed: true })), [0, 0.8, 100])).toEqual([-8, -6, 7])
    })
    it("NaN passes, infinities become ends of the range", () => {
      const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
      expect(shifted(ScaleShift.make(host()), special)).toEqual([Number.NaN, 15, 0])
    })
    it("rounds to the nearest integer where elements are rounded by chance", () => {
      const floatToIntImpl = Rounding.StochasticRoundSte({})
      expect(shifted(ScaleShift.make(host({ floatToIntImpl })), [0.2, 0.3, 0.7])).toEqual([0, 1, 1])
    })
    it("a quantizer of its own learns from the values below 0, not from the weights", () => {
      const zpIntQuant = inner()
      const scaleShiftZeroPointImpl = ScaleShift.ScaleShiftQuantZeroPoint({ zpIntQuant, ...host() })
      const brick = ZeroPoint.StatsFromParameterZeroPoint({
        zeroPointStatsImpl: Statistic.NegativeMinOrZero({}),
        scaleShiftZeroPointImpl,
        ...host()
      })
      tidied(() => {
        const weight = tf.tensor1d([-2.55, 7, 100])
        const state = { parameters: brick.parameters, memory: brick.memory, training: true, tracked: [weight] }
        const ready = { ...state, ...brick.prepare(state) }
        const trees = ready.parameters as { scaleShiftZeroPoint: { zpIntQuant: { scalingImpl: { value: tf.Tensor } } } }
        expect(numbers(trees.scaleShiftZeroPoint.zpIntQuant.scalingImpl.value)[0]).toBeCloseTo(2.55, 5)
        const [z, memory] = brick.apply(ready, weight, tf.scalar(0.5), tf.scalar(4))
        expect(numbers(z)[0]).toBeCloseTo(5.1, 4)
        expect(memory).toEqual(ready.memory)
        // what is on trial outside of it does not reach it
        const trial = { ...ready, trial: { scale: tf.scalar(77), zeroPoint: tf.scalar(-1.27) } }
        expect(numbers(brick.apply(trial, weight, tf.scalar(0.5), tf.scalar(4))[0])[0]).toBeCloseTo(2.54, 2)
      })
      expect(Brick.parts(brick).map(([path, label]) => `${path}:${label}`)).toContain(
        "scaleShiftZeroPoint.zpIntQuant.scalingImpl:ParameterFromStatsFromParameterScaling"
      )
      Brick.dispose(brick)
    })
  })
