import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Clamp from "../../src/core/Clamp.ts"
import * as Rounding from "../../src/core/Rounding.ts"
import * as RuntimeZeroPoint from "../../src/core/RuntimeZeroPoint.ts"
import * as Statistic from "../../src/core/Statistic.ts"
import * as View from "../../src/core/View.ts"
import type { ZeroPoint } from "../../src/core/ZeroPoint.ts"
import { InvalidOptions } from "../../src/tensor/Errors.ts"
import { tidied } from "../reference/replay/Numbers.ts"

const numbers = (t: tf.Tensor): ReadonlyArray<number> => Array.from(t.dataSync(), (y) => y + 0)
const host = {
  signed: false,
  narrowRange: false,
  floatToIntImpl: Rounding.RoundSte({}),
  tensorClampImpl: Clamp.TensorClamp({}),
  quantizeZeroPoint: true
}
const learned = (collectStatsSteps: number, zeroPointStatsMomentum: number | null = 0.5): ZeroPoint =>
  RuntimeZeroPoint.ParameterFromRuntimeZeroPoint({
    zeroPointStatsImpl: Statistic.NegativeMinOrZero({}),
    zeroPointStatsInputViewShapeImpl: View.OverTensorView({}),
    collectStatsSteps,
    zeroPointStatsMomentum,
    ...host
  })

const call = (brick: ZeroPoint, before: Brick.State, x: number) => {
  const state = { ...before, ...brick.prepare(before) }
  const [z, memory] = brick.apply(state, tf.tensor1d([x, 1]), tf.scalar(1), tf.scalar(4))
  return { z: numbers(z)[0], after: { ...state, memory } }
}

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`zero-points of what runs through, on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("ParameterFromRuntimeZeroPoint collects, then learns", () => {
      const brick = learned(2)
      tidied(() => {
        const start = { parameters: brick.parameters, memory: brick.memory, training: true }
        expect(call(brick, { ...start, training: false }, -9).z).toBe(0)
        const one = call(brick, start, -4)
        const two = call(brick, one.after, -8)
        expect([one.z, two.z]).toEqual([4, 8])
        expect(numbers(two.after.memory.buffer as tf.Tensor)).toEqual([-6])
        expect(call(brick, { ...two.after, training: false }, -9).z).toBe(6)
        const three = call(brick, two.after, -9)
        expect(three.z).toBe(6)
        expect(numbers(three.after.parameters.value as tf.Tensor)).toEqual([-6])
        expect(three.after.memory.counter).toBe(3)
        expect(call(brick, { ...three.after, training: false }, -9).z).toBe(6)
      })
      Brick.dispose(brick)
    })
    it("a search tries its statistic without being remembered", () => {
      const brick = learned(2)
      tidied(() => {
        const start = { parameters: brick.parameters, memory: brick.memory, training: true }
        const tried = call(brick, { ...start, trial: { zeroPoint: tf.scalar(-3) } }, -4)
        expect(tried.z).toBe(3)
        expect(tried.after.memory).toBe(brick.memory)
        const scaleTried = call(brick, { ...start, trial: { scale: tf.scalar(9) } }, -4)
        expect(scaleTried.z).toBe(4)
        expect(scaleTried.after.memory).toBe(brick.memory)
      })
      Brick.dispose(brick)
    })
    it("without a momentum it is a true mean, also of negative numbers; NaN is not hidden", () => {
      const brick = learned(3, null)
      tidied(() => {
        const start: Brick.State = { parameters: brick.parameters, memory: brick.memory, training: true }
        const end = [-1, -2, -6].reduce((state, x) => call(brick, state, x).after, start)
        expect(numbers(end.memory.buffer as tf.Tensor)[0]).toBeCloseTo(-3, 5)
        const poisoned = call(brick, start, Number.NaN)
        expect(poisoned.z).toBeNaN()
        expect(numbers(poisoned.after.memory.buffer as tf.Tensor)[0]).toBeNaN()
      })
      Brick.dispose(brick)
    })
    it("options that cannot be are refused", () => {
      for (const steps of [0, -1, 1.5, Number.NaN]) expect(() => learned(steps)).toThrow(InvalidOptions)
      for (const momentum of [-0.1, 1.1, Number.NaN]) expect(() => learned(1, momentum)).toThrow(InvalidOptions)
    })
    it("RuntimeDynamicGroupZeroPoint has one zero-point for each group", () => {
      const brick = RuntimeZeroPoint.RuntimeDynamicGroupZeroPoint({
        zeroPointStatsImpl: Statistic.NegativeMinOrZero({ statsReduceDim: 2, keepdim: true }),
        inputViewImpl: View.DynamicOverSubChannelBlockView({ groupSize: 2, groupDim: 1 }),
        ...host
      })
      tidied(() => {
        const state = { parameters: {}, memory: {}, training: false }
        const [z] = brick.apply(state, tf.tensor2d([[-1, 4, 2, -3, 5]]), tf.ones([1, 3, 1]), tf.scalar(4))
        expect(z.shape).toEqual([1, 3, 1])
        expect(numbers(z)).toEqual([1, 3, 0])
      })
    })
    it("RuntimeDynamicStatsZeroPoint has the shape that the input's shape asks for", () => {
      const brick = RuntimeZeroPoint.RuntimeDynamicStatsZeroPoint({
        zeroPointStatsImpl: Statistic.NegativeMinOrZero({ statsReduceDim: 1 }),
        dynamicScalingBroadcastableShape: ([rows]) => [rows as number, 1],
        ...host
      })
      const rows = [
        [-1, 4],
        [2, 3]
      ]
      tidied(() => {
        const state = { parameters: {}, memory: {}, training: false }
        const [z] = brick.apply(state, tf.tensor2d(rows), tf.ones([2, 1]), tf.scalar(4))
        expect(z.shape).toEqual([2, 1])
        expect(numbers(z)).toEqual([1, 0])
      })
    })
    it("parts are named as known, and everything is disposed", () => {
      const before = tf.memory().numTensors
      const brick = learned(1)
      expect(Brick.parts(brick).map(([path]) => path)).toEqual(
        expect.arrayContaining(["", "statsInputViewShapeImpl", "zeroPointStatsImpl", "scaleShiftZeroPoint"])
      )
      tidied(() => call(brick, { parameters: brick.parameters, memory: brick.memory, training: true }, -1))
      Brick.dispose(brick)
      expect(tf.memory().numTensors).toBe(before)
    })
  })
