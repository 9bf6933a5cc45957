import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as RunningStatistic from "../../src/core/RunningStatistic.ts"
import * as Statistic from "../../src/core/Statistic.ts"
import * as View from "../../src/core/View.ts"
import * as Tree from "../../src/tensor/Tree.ts"

const make = (momentum: number | undefined) =>
  RunningStatistic.make({
    statsImpl: Statistic.AbsMax({ statsReduceDim: 1 }),
    view: View.OverOutputChannelView({ permuteDims: [1, 0] }),
    shape: [1, 2],
    momentum
  })
const numbers = (x: tf.Tensor): ReadonlyArray<number> => [...x.dataSync()]

/** Training on inputs whose statistics are these, one after the other: the running ones after each. */
const trained = (self: Statistic.Statistic, inputs: ReadonlyArray<readonly [number, number]>) => {
  let memory = self.memory
  return inputs.map((x) => {
    const [value, after] = self.apply({ parameters: {}, memory, training: true }, tf.tensor2d([[...x], [0, 0]]))
    expect(numbers(value)).toEqual(x.map(Math.abs))
    memory = after
    return numbers(after.runningStats as tf.Tensor)
  })
}

describe("RunningStatistic", () => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.cpu, { local: true }))))

  it("takes the first statistic as it is, then averages with the momentum", () =>
    tf.tidy(() => {
      expect(
        trained(make(0.5), [
          [8, -4],
          [4, 0],
          [0, 0]
        ])
      ).toEqual([
        [8, 4],
        [6, 2],
        [3, 1]
      ])
    }))
  it("averages truly without one", () =>
    tf.tidy(() => {
      expect(
        trained(make(undefined), [
          [9, 3],
          [3, 0],
          [3, 3]
        ])
      ).toEqual([
        [9, 3],
        [6, 1.5],
        [5, 2]
      ])
    }))
  it("answers the average in evaluation, and changes nothing", () => {
    const self = make(0.1)
    const state = { parameters: {}, memory: self.memory, training: false }
    const [value, memory] = self.apply(state, tf.tensor2d([[5, 5]]))
    expect(numbers(value)).toEqual([1, 1])
    expect(memory).toBe(self.memory)
    Brick.dispose(self)
  })
  it("shows its parts, and releases what it made", () => {
    const before = tf.memory().numTensors
    const self = make(0.1)
    expect(Brick.parts(self).map(([path, label]) => `${path}: ${label}`)).toEqual([
      ": _RuntimeStats",
      "statsInputViewShapeImpl: OverOutputChannelView",
      "statsInputViewShapeImpl.permuteImpl: PermuteDims",
      "stats: _Stats",
      "stats.statsImpl: AbsMax"
    ])
    expect(Tree.leaves(self.memory).map(([name]) => name)).toEqual(["runningStats", "counter"])
    Brick.dispose(self)
    expect(tf.memory().numTensors).toBe(before)
  })
})
