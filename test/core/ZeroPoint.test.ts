import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Clamp from "../../src/core/Clamp.ts"
import * as Rounding from "../../src/core/Rounding.ts"
import * as Statistic from "../../src/core/Statistic.ts"
import * as View from "../../src/core/View.ts"
import * as ZeroPoint from "../../src/core/ZeroPoint.ts"
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
const smallest = () => ({ zeroPointStatsImpl: Statistic.NegativeMinOrZero({}), ...host })

const stateOf = (brick: Brick.Brick, more: Partial<Brick.State> = {}): Brick.State => ({
  parameters: brick.parameters,
  memory: brick.memory,
  training: true,
  ...more
})
const at = (brick: ZeroPoint.ZeroPoint, state: Brick.State, x: tf.Tensor): ReadonlyArray<number> =>
  numbers(brick.apply(state, x, tf.scalar(0.5), tf.scalar(4))[0])

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`zero-points on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("ParameterZeroPoint takes a number or a tensor, of one shape or spread over it", () => {
      const value = (init: number | tf.Tensor, zeroPointShape?: ReadonlyArray<number>) => {
        const brick = ZeroPoint.ParameterZeroPoint({ zeroPointInit: init, zeroPointShape, ...host })
        const { shape } = brick.parameters.value as tf.Tensor
        const answer = { shape, z: tidied(() => at(brick, stateOf(brick), tf.zeros([2]))) }
        Brick.dispose(brick)
        return answer
      }
      const [scalar, pair] = [tf.scalar(1.5), tf.tensor1d([1, -2])]
      expect(value(1.5)).toEqual({ shape: [], z: [3] })
      expect(value(scalar, [2, 1])).toEqual({ shape: [2, 1], z: [3, 3] })
      expect(value(pair)).toEqual({ shape: [2], z: [2, 4] })
      expect(() => value(pair, [2, 1])).toThrow(InvalidOptions)
      tf.dispose([scalar, pair])
    })
    it("StatsFromParameterZeroPoint looks at all weights that share the quantizer", () => {
      const brick = ZeroPoint.StatsFromParameterZeroPoint(smallest())
      tidied(() => {
        const [a, b] = [tf.tensor1d([-1, 2]), tf.tensor1d([-3, 0])]
        expect(at(brick, stateOf(brick), a)).toEqual([2])
        expect(at(brick, stateOf(brick, { tracked: [a, b] }), a)).toEqual([6])
        expect(at(brick, stateOf(brick, { trial: { zeroPoint: tf.scalar(-2) } }), a)).toEqual([4])
        expect(at(brick, stateOf(brick), tf.tensor1d([Number.NaN, -1]))[0]).toBeNaN()
        expect(at(brick, stateOf(brick), tf.zeros([3]))).toEqual([0])
      })
      Brick.dispose(brick)
    })
    it("ParameterFromStatsFromParameterZeroPoint begins as the statistic and keeps it", () => {
      const brick = ZeroPoint.ParameterFromStatsFromParameterZeroPoint(smallest())
      tidied(() => {
        const first = tf.tensor1d([-2, 1])
        const before = stateOf(brick, { tracked: [first] })
        const ready = { ...before, ...brick.prepare(before) }
        expect(numbers(ready.parameters.value as tf.Tensor)).toEqual([-2])
        expect(at(brick, ready, first)).toEqual([4])
        const later = { ...ready, tracked: [tf.tensor1d([-7])] }
        expect(brick.prepare(later).parameters).toBe(ready.parameters)
        expect(at(brick, later, tf.tensor1d([-7]))).toEqual([4])
        expect(at(brick, stateOf(brick), first)).toEqual([4])
      })
      Brick.dispose(brick)
    })
    it("a search tries its statistic on a learned zero-point, and does not disturb one that is learned already", () => {
      const brick = ZeroPoint.ParameterFromStatsFromParameterZeroPoint({
        ...smallest(),
        zeroPointAffineRescalingInit: 2
      })
      tidied(() => {
        const x = tf.tensor1d([-2, 1])
        const before = stateOf(brick, { tracked: [x] })
        const ready = { ...before, ...brick.prepare(before) }
        expect(numbers(ready.parameters.value as tf.Tensor)).toEqual([-4])
        // while the scale is searched, the plain statistic at first, then the learned value
        expect(at(brick, { ...before, trial: { scale: tf.scalar(1) } }, x)).toEqual([4])
        expect(at(brick, { ...ready, trial: { scale: tf.scalar(1) } }, x)).toEqual([8])
        expect(at(brick, { ...ready, trial: { zeroPoint: tf.scalar(-3) } }, x)).toEqual([6])
      })
      Brick.dispose(brick)
    })
    it("an affine term needs a factor", () => {
      const given = { ...smallest(), zeroPointAffineShiftingInit: 1 }
      expect(() => ZeroPoint.StatsFromParameterZeroPoint(given)).toThrow(InvalidOptions)
      expect(() => ZeroPoint.ParameterFromStatsFromParameterZeroPoint(given)).toThrow(/zeroPointAffineRescalingInit/)
      const brick = ZeroPoint.StatsFromParameterZeroPoint({ ...given, zeroPointAffineRescalingInit: 2 })
      expect(tidied(() => at(brick, stateOf(brick), tf.tensor1d([-2])))).toEqual([6])
      Brick.dispose(brick)
    })
    it("PreZeroCenterZeroPoint is the negative mean of each row, in steps of the scale", () => {
      const brick = ZeroPoint.PreZeroCenterZeroPoint({
        statsReduceDim: 1,
        preZeroPointStatsInputViewShapeImpl: View.OverOutputChannelView({}),
        preZeroPointShape: [2, 1]
      })
      const rows = [
        [1, 2],
        [-3, 1]
      ]
      expect(tidied(() => at(brick, stateOf(brick), tf.tensor2d(rows)))).toEqual([-3, 2])
    })
    it("their parts are named as known, and disposed with them", () => {
      const before = tf.memory().numTensors
      const brick = ZeroPoint.ParameterFromStatsFromParameterZeroPoint({
        ...smallest(),
        zeroPointAffineRescalingInit: 1,
        zeroPointAffineShiftingInit: 0
      })
      const parts = Brick.parts(brick).map(([path]) => path)
      for (const path of ["parameterListStats.stats.statsImpl", "affineRescaling", "scaleShiftZeroPoint"])
        expect(parts).toContain(path)
      tidied(() => {
        const state = stateOf(brick, { tracked: [tf.tensor1d([-1])] })
        return at(brick, { ...state, ...brick.prepare(state) }, tf.tensor1d([-1]))
      })
      Brick.dispose(brick)
      expect(tf.memory().numTensors).toBe(before)
    })
  })
