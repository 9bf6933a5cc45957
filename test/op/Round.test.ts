import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Round from "../../src/op/Round.ts"

/** Values and gradients of `f` at `x`, where the gradient that comes in counts 1, 2, 3, … */
const at = (f: (x: tf.Tensor) => tf.Tensor, x: ReadonlyArray<number>) =>
  tf.tidy(() => {
    const input = tf.tensor1d([...x])
    const dy = tf.tensor1d(x.map((_, i) => i + 1))
    return {
      value: Array.from(f(input).dataSync()),
      gradient: Array.from(
        tf
          .grad((a: tf.Tensor) => f(a))(input, dy)
          .dataSync()
      )
    }
  })

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`Round on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    const x = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4999, -0.2, 7, 8388607.5]
    const straight = x.map((_, i) => i + 1)

    it("nearest: ties go to the even number, the gradient is the identity's", () => {
      const { value, gradient } = at(Round.nearest, x)
      expect(value.map((y) => y + 0)).toEqual([-2, -2, 0, 0, 2, 2, 2, 0, 7, 8388608])
      expect(gradient).toEqual(straight)
    })
    it("floor and ceil, with the gradient of the identity", () => {
      const down = at(Round.floor, x)
      expect(down.value).toEqual([-3, -2, -1, 0, 1, 2, 2, -1, 7, 8388607])
      expect(down.gradient).toEqual(straight)
      const up = at(Round.ceil, x)
      expect(up.value.map((y) => y + 0)).toEqual([-2, -1, 0, 1, 2, 3, 3, 0, 7, 8388608])
      expect(up.gradient).toEqual(straight)
    })
    it("zero has the sign of x", () => {
      expect(at(Round.nearest, [-0.5, -0.2, -0, 0, 0.2, 0.5]).value).toEqual([-0, -0, -0, 0, 0, 0])
      expect(at(Round.ceil, [-0.5, -0, 0]).value).toEqual([-0, -0, 0])
      expect(at(Round.floor, [-0, 0, 0.5]).value).toEqual([-0, 0, 0])
      expect(at(Round.toZero, [-0.5, -0, 0, 0.5]).value).toEqual([-0, 0, 0, 0])
      expect(at(Round.dpu, [-0.5, -0, 0, 0.5]).value).toEqual([-0, -0, 0, 0])
    })
    it("toZero and dpu, straight-through and flat", () => {
      const toZero = [-2, -1, -0, 0, 1, 2, 2, -0, 7, 8388607]
      const dpu = [-2, -1, -0, 0, 2, 2, 2, -0, 7, 8388608]
      expect(at(Round.toZero, x)).toEqual({ value: toZero, gradient: straight })
      expect(at(Round.dpu, x)).toEqual({ value: dpu, gradient: straight })
      const none = x.map(() => 0)
      expect(at(Round.toZeroFlat, x)).toEqual({ value: toZero, gradient: none })
      expect(at(Round.dpuFlat, x)).toEqual({ value: dpu, gradient: none })
    })
    it("NaN and infinities pass unchanged", () => {
      const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
      for (const f of [Round.nearest, Round.floor, Round.ceil, Round.toZero, Round.dpu]) {
        expect(at(f, special).value).toEqual(special)
        expect(at(f, special).gradient).toEqual([1, 2, 3])
      }
    })
    it("empty tensors stay empty", () => {
      for (const f of [Round.nearest, Round.floor, Round.ceil, Round.toZero, Round.dpu])
        expect(at(f, [])).toEqual({ value: [], gradient: [] })
    })
    it("the gradient passes through a chain", () => {
      const through = at((a) => tf.mul(Round.nearest(tf.mul(a, 3)), 2), [0.4, 0.6])
      expect(through.value).toEqual([2, 4])
      expect(through.gradient).toEqual([6, 12])
    })
    it("no tensor is left behind", () => {
      const before = tf.memory().numTensors
      at(Round.nearest, x)
      expect(tf.memory().numTensors).toBe(before)
    })
  })
