import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import type * as Module from "../../src/core/Module.ts"
import * as Restriction from "../../src/core/Restriction.ts"
import type * as Scaling from "../../src/core/Scaling.ts"
import * as Statistic from "../../src/core/Statistic.ts"
import * as StatsScaling from "../../src/core/StatsScaling.ts"
import * as View from "../../src/core/View.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Tree from "../../src/tensor/Tree.ts"

const numbers = (t: tf.Tensor): ReadonlyArray<number> => Array.from(t.dataSync())
const stateOf = (self: Brick.Brick): Brick.State => ({
  parameters: self.parameters,
  memory: self.memory,
  training: true
})
const log = Restriction.LogFloatRestrictValue({})
const perRow = { scalingStatsImpl: Statistic.AbsMax({ statsReduceDim: 1 }), scalingShape: [3, 1] }

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`StatsScaling on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("rows of zeros get the minimum, rows with NaN a NaN scale, also as logarithms", () =>
      void tf.tidy(() => {
        const x = tf.tensor2d([0, 0, 1, Number.NaN, 4, -8], [3, 2])
        for (const restrictScalingImpl of [Restriction.FloatRestrictValue({}), log]) {
          const self = StatsScaling.StatsFromParameterScaling({ ...perRow, scalingMinVal: 0.5, restrictScalingImpl })
          expect(numbers(self.apply(stateOf(self), x, tf.scalar(2))[0])).toEqual([0.25, Number.NaN, 4])
        }
      }))

    it("a parameter from statistics multiplies what it begins with, once, by the weights of all layers", () => {
      const self = StatsScaling.ParameterFromStatsFromParameterScaling({
        scalingStatsImpl: Statistic.AbsMax({}),
        scalingStatsInputViewShapeImpl: View.OverTensorView({}),
        scalingAffineRescalingInit: 0.5,
        scalingAffineShiftingInit: 1
      })
      expect(Tree.leaves(self.parameters).map(([name]) => name)).toEqual([
        "value",
        "statsScalingImpl.affineRescaling.affineWeight",
        "statsScalingImpl.affineRescaling.affineBias.value"
      ])
      tf.tidy(() => {
        const tracked = [tf.tensor1d([1, -2]), tf.tensor1d([6])]
        const first = { ...stateOf(self), tracked }
        const prepared = { ...first, ...self.prepare(first) }
        const scaleAt = (state: Brick.State) => numbers(self.apply(state, tf.tensor1d([100]), tf.scalar(2))[0])
        expect([numbers(prepared.parameters.value as tf.Tensor), scaleAt(prepared)]).toEqual([[4], [2]])
        const again = { ...prepared, ...self.prepare(prepared) }
        expect(again.parameters).toBe(prepared.parameters)
        expect(self.apply(prepared, tf.scalar(1), tf.scalar(2))[1]).toBe(prepared.memory)
      })
      Brick.dispose(self)
    })

    it("on trial the scale follows the statistic on trial, and the weights are not looked at", () =>
      void tf.tidy(() => {
        const trial = { scale: tf.tensor2d([1, 2, 3], [3, 1]) }
        const x = tf.ones([3, 2])
        const pair: ReadonlyArray<Scaling.Scaling> = [
          StatsScaling.StatsFromParameterScaling(perRow),
          StatsScaling.ParameterFromStatsFromParameterScaling(perRow)
        ]
        for (const self of pair)
          expect(numbers(self.apply({ ...stateOf(self), trial }, x, tf.scalar(2))[0])).toEqual([0.5, 1, 1.5])
      }))

    it("no tensor is left", () => {
      const before = tf.memory().numTensors
      const given = { ...perRow, scalingAffineRescalingInit: 1, scalingAffineShiftingInit: 0 }
      const pair: ReadonlyArray<Scaling.Scaling> = [
        StatsScaling.StatsFromParameterScaling(given),
        StatsScaling.ParameterFromStatsFromParameterScaling(given)
      ]
      for (const self of pair) tf.tidy(() => self.apply(stateOf(self), tf.ones([3, 2]), tf.scalar(2))[0].dataSync())
      expect(tf.memory().numTensors).toBe(before + 2 + 3)
      for (const self of pair) Brick.disposeOwn(self)
      expect(tf.memory().numTensors).toBe(before)
    })

    it("scalingInitFromStats: the statistic of each channel over the largest integer, no channel at 0", async () => {
      const before = tf.memory().numTensors
      const weight = tf.tensor2d([3.5, 0, -7, 0], [2, 2])
      const module = { weight, outputChannelAxis: 1 } as unknown as Module.Modules
      const injector = Injector.make("test", {
        scalingInit: StatsScaling.scalingInitFromStats,
        scalingStatsImpl: Statistic.AbsMax,
        scalingStatsInputViewShapeImpl: View.OverOutputChannelView,
        permuteDims: [1, 0],
        statsReduceDim: 1,
        scalingShape: [1, 2],
        scalingMinVal: 2 ** -10,
        bitWidth: 4,
        module
      })
      const made = Effect.map(Injector.resolve(injector, "scalingInit"), (t) => [t.shape, numbers(t)])
      expect(await Effect.runPromise(Effect.scoped(made))).toEqual([
        [1, 2],
        [1, 2 ** -10]
      ])
      const narrow = Injector.resolve(Injector.let(injector, { bitWidth: 1 }), "scalingInit")
      expect((await Effect.runPromise(Effect.scoped(Effect.flip(narrow)))).message).toContain("bitWidth")
      weight.dispose()
      expect(tf.memory().numTensors).toBe(before)
    })

    it("a shift needs a rescaling", () =>
      expect(() => StatsScaling.StatsFromParameterScaling({ ...perRow, scalingAffineShiftingInit: 0 })).toThrow(
        "scalingAffineRescalingInit"
      ))
  })
