import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Restriction from "../../src/core/Restriction.ts"
import * as RuntimeScaling from "../../src/core/RuntimeScaling.ts"
import type * as Scaling from "../../src/core/Scaling.ts"
import * as Statistic from "../../src/core/Statistic.ts"
import * as View from "../../src/core/View.ts"

const numbers = (t: tf.Tensor): ReadonlyArray<number> => Array.from(t.dataSync())
const scalingStatsImpl = Statistic.AbsMax({})
const learned = (collectStatsSteps: number, given: object = {}) =>
  RuntimeScaling.ParameterFromRuntimeStatsScaling({ scalingStatsImpl, collectStatsSteps, ...given })

/** The scales that a scaling answers for one number a call, with a threshold of 2. */
const through = (self: Scaling.Scaling, calls: ReadonlyArray<readonly [x: number, training: boolean]>) =>
  calls.reduce<{ state: Brick.State; seen: ReadonlyArray<number> }>(
    ({ state, seen }, [x, training]) => {
      const before = { ...state, training }
      const prepared = { ...before, ...self.prepare(before) }
      const [y, memory] = self.apply(prepared, tf.tensor1d([x, 0]), tf.scalar(2))
      return { state: { ...prepared, memory }, seen: [...seen, ...numbers(y)] }
    },
    { state: { parameters: self.parameters, memory: self.memory, training: false }, seen: [] }
  )

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`RuntimeScaling on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("without a momentum the average counts every call alike", () =>
      void tf.tidy(() => {
        const calls = [4, 8, 6].map((x) => [x, true] as const)
        const mean = { scalingStatsMomentum: null }
        const running = RuntimeScaling.RuntimeStatsScaling({ scalingStatsImpl, ...mean })
        expect(through(running, [...calls, [100, false]]).seen).toEqual([2, 4, 3, 3])
        expect(through(learned(3, mean), [...calls, [100, false], [100, true]]).seen).toEqual([2, 4, 3, 3, 3])
      }))

    it("no steps to collect: it learns from 1; one not collected yet evaluates with 1", () =>
      void tf.tidy(() => {
        expect(through(learned(0), [[5, true]]).seen).toEqual([0.5])
        expect(through(learned(2), [[5, false]]).seen).toEqual([0.5])
      }))

    it("NaN in a batch shows, at once and in the average", () =>
      void tf.tidy(() => {
        const self = learned(2, { restrictScalingImpl: Restriction.LogFloatRestrictValue({}), scalingMinVal: 0.5 })
        const calls = [
          [Number.NaN, true],
          [1, true],
          [1, false],
          [1, true]
        ] as const
        expect(through(self, calls).seen).toEqual([Number.NaN, 0.5, Number.NaN, Number.NaN])
      }))

    it("while it collects, the gradient of the parameter is zero and not absent", () =>
      void tf.tidy(() => {
        const self = learned(2)
        const grads = tf.grads((x: tf.Tensor, value: tf.Tensor) => {
          const state = { parameters: { value }, memory: self.memory, training: true }
          return tf.sum(self.apply(state, x, tf.scalar(2))[0])
        })([tf.tensor1d([3, -4]), tf.scalar(1)])
        expect(grads.map(numbers)).toEqual([[0, -0.5], [0]])
      }))

    it("on trial the statistic is divided by the threshold as it is, and nothing is collected", () =>
      void tf.tidy(() => {
        const self = learned(2, { restrictScalingImpl: Restriction.PowerOfTwoRestrictValue({}) })
        const state = { parameters: self.parameters, memory: self.memory, training: true }
        const [y, memory] = self.apply({ ...state, trial: { scale: tf.scalar(3) } }, tf.scalar(9), tf.scalar(2))
        expect([numbers(y), memory === self.memory]).toEqual([[1.5], true])
      }))

    it("dynamic scales: of each group, of each row, of the whole input", () =>
      void tf.tidy(() => {
        const x = tf.tensor2d([1, -2, 3, 4, 0, 0], [2, 3])
        const state = { parameters: {}, memory: {}, training: false }
        const grouped = RuntimeScaling.RuntimeDynamicGroupStatsScaling({
          scalingStatsImpl: Statistic.AbsMax({ statsReduceDim: 2, keepdim: true }),
          inputViewImpl: View.DynamicOverSubChannelBlockView({ groupSize: 2, groupDim: 1 }),
          scalingMinVal: 0.5
        })
        const [ofGroups] = grouped.apply(state, x, tf.scalar(2))
        expect([ofGroups.shape, numbers(ofGroups)]).toEqual([
          [2, 2, 1],
          [1, 1.5, 2, 0.25]
        ])
        const trial = { scale: tf.ones([2, 2, 1]) }
        expect(numbers(grouped.apply({ ...state, trial }, x, tf.scalar(2))[0])).toEqual([0.5, 0.5, 0.5, 0.5])
        const dynamic = (statsReduceDim: number | undefined, shape: RuntimeScaling.BroadcastableShape) =>
          RuntimeScaling.RuntimeDynamicStatsScaling({
            scalingStatsImpl: Statistic.AbsMax({ statsReduceDim }),
            dynamicScalingBroadcastableShape: shape
          }).apply(state, x, tf.scalar(2))[0]
        const ofRows = dynamic(1, RuntimeScaling.perRow)
        expect([ofRows.shape, numbers(ofRows)]).toEqual([
          [2, 1],
          [1.5, 2]
        ])
        const whole = dynamic(undefined, RuntimeScaling.perTensor)
        expect([whole.shape, numbers(whole)]).toEqual([[], [2]])
      }))

    it("a power of two has a gradient where a row is all zeros, and is held at its minimum", () =>
      void tf.tidy(() => {
        const scaling = RuntimeScaling.RuntimeDynamicStatsScaling({
          scalingStatsImpl: Statistic.AbsMax({ statsReduceDim: 1 }),
          restrictScalingImpl: Restriction.PowerOfTwoRestrictValue({}),
          scalingMinVal: 1e-10,
          dynamicScalingBroadcastableShape: RuntimeScaling.perRow
        })
        const state: Brick.State = { parameters: {}, memory: {}, training: true }
        const scales = (x: tf.Tensor): tf.Tensor => scaling.apply(state, x, tf.scalar(2))[0]
        const x = tf.tensor2d([
          [0, 0],
          [3, -1]
        ])
        expect(numbers(scales(x))).toEqual([Math.fround(Math.fround(1e-10) / 2), 2])
        const dx = numbers(tf.grad((x: tf.Tensor) => tf.mul(scales(x), tf.tensor2d([[0], [1]])))(x))
        expect(dx.slice(0, 2).map(Math.abs)).toEqual([0, 0]) // it was NaN
        expect(dx[2]).toBeCloseTo(4 / 3 / 2, 5)
      }))

    it("no tensor is left, and bad options are refused", () => {
      const before = tf.memory().numTensors
      for (const self of [
        learned(1, { scalingShape: [3] }),
        RuntimeScaling.RuntimeStatsScaling({ scalingStatsImpl, scalingAffineRescalingInit: 1 })
      ])
        Brick.disposeOwn(self)
      for (const steps of [-1, 0.5, Number.NaN]) expect(() => learned(steps)).toThrow("collectStatsSteps")
      expect(() => learned(1, { scalingStatsMomentum: 2 })).toThrow("scalingStatsMomentum")
      expect(() => RuntimeScaling.RuntimeStatsScaling({ scalingStatsImpl, scalingStatsMomentum: -1 })).toThrow("0..1")
      const inputViewImpl = View.identity
      expect(() => RuntimeScaling.RuntimeDynamicGroupStatsScaling({ scalingStatsImpl, inputViewImpl })).toThrow(
        "groups"
      )
      expect(tf.memory().numTensors).toBe(before)
    })
  })
