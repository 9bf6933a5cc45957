import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Clamp from "../../src/core/Clamp.ts"
import * as IntQuant from "../../src/core/IntQuant.ts"
import * as Rounding from "../../src/core/Rounding.ts"
import { InvalidOptions } from "../../src/tensor/Errors.ts"
import type * as Tree from "../../src/tensor/Tree.ts"
import { tidied } from "../reference/replay/Numbers.ts"

const numbers = (t: tf.Tensor): ReadonlyArray<number> => Array.from(t.dataSync(), (y) => y + 0)
const thirds = Array.from({ length: 300 }, (_, i) => (i - 150) / 3)

/** What a rounding answers in several calls that hand its memory on. */
const calls = (brick: Rounding.Rounding, x: ReadonlyArray<number>, count: number, training = true) =>
  tidied(() => {
    let memory: Tree.Memory = brick.memory
    return Array.from({ length: count }, () => {
      const [y, after] = brick.apply({ parameters: {}, memory, training }, tf.tensor1d([...x]))
      memory = after
      return numbers(y)
    })
  })

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`roundings on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("RoundToZeroSte and DPURoundSte", () => {
      const x = [-1.5, -0.5, 0.5, 1.7, -1.7, 2.5, -2.5]
      expect(calls(Rounding.RoundToZeroSte({}), x, 1)[0]).toEqual([-1, 0, 0, 1, -1, 2, -2])
      expect(calls(Rounding.DPURoundSte({}), x, 1)[0]).toEqual([-1, 0, 0, 2, -2, 2, -2])
    })
    it("StochasticRoundSte: the same seed and counter give the same bits, every call draws anew", () => {
      const brick = Rounding.StochasticRoundSte({ stochasticRoundSeed: 3 })
      expect(brick.memory).toEqual({ calls: 0 })
      const [first, second] = calls(brick, thirds, 2)
      expect(calls(brick, thirds, 2)).toEqual([first, second])
      expect(calls(Rounding.StochasticRoundSte({ stochasticRoundSeed: 3 }), thirds, 1)[0]).toEqual(first)
      expect(second).not.toEqual(first)
      expect(calls(Rounding.StochasticRoundSte({ stochasticRoundSeed: 4 }), thirds, 1)[0]).not.toEqual(first)
    })
    it("StochasticRoundSte: the mean over calls is the value", () => {
      const brick = Rounding.StochasticRoundSte({ stochasticRoundSeed: 11 })
      fc.assert(
        fc.property(fc.float({ noNaN: true, min: -50, max: 50 }), (x) => {
          const ys = calls(
            brick,
            Array.from({ length: 500 }, () => x),
            4
          ).flat()
          const p = x - Math.floor(x)
          const mean = ys.reduce((sum, y) => sum + y, 0) / ys.length
          return Math.abs(mean - x) <= 6 * Math.sqrt((p * (1 - p)) / ys.length) + 1e-4
        }),
        { numRuns: 20, seed: 5 }
      )
    })
    it("StochasticRoundSte: in evaluation to the nearest, without counting, unless told otherwise", () => {
      const nearest = calls(Rounding.RoundSte({}), thirds, 1)[0]
      expect(calls(Rounding.StochasticRoundSte({}), thirds, 2, false)).toEqual([nearest, nearest])
      const brick = Rounding.StochasticRoundSte({ stochasticRoundDeterministicInference: false })
      const [first, second] = calls(brick, thirds, 2, false)
      expect(first).not.toEqual(nearest)
      expect(second).not.toEqual(first)
    })
    it("StochasticRoundSte: a zero-point goes to the nearest integer; a seed that is no number is refused", () => {
      const brick = Rounding.StochasticRoundSte({ stochasticRoundDeterministicInference: false })
      expect(tidied(() => numbers(Rounding.rounded(brick, tf.tensor1d([0.4, 1.6]))))).toEqual([0, 2])
      expect(() => Rounding.StochasticRoundSte({ stochasticRoundSeed: Number.NaN })).toThrow(InvalidOptions)
    })
    it("IntQuant hands the counter on", () => {
      const brick = IntQuant.IntQuant({
        floatToIntImpl: Rounding.StochasticRoundSte({}),
        tensorClampImpl: Clamp.TensorClamp({}),
        signed: true,
        narrowRange: false
      })
      tidied(() => {
        const state = { parameters: {}, memory: brick.memory, training: true }
        const x = tf.tensor1d([0.3, 0.4])
        const [, memory] = brick.apply(state, x, tf.scalar(0.1), tf.scalar(0), tf.scalar(8))
        expect(memory).toEqual({ floatToIntImpl: { calls: 1 } })
      })
      Brick.dispose(brick)
    })
  })

it("stochastic rounding gives the same bits on both backends", async () => {
  const on = async (name: string) => {
    await tf.setBackend(name)
    return calls(Rounding.StochasticRoundSte({ stochasticRoundSeed: 9 }), thirds, 3)
  }
  expect(await on("cpu")).toEqual(await on("wasm"))
})
