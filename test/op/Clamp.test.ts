import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Clamp from "../../src/op/Clamp.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"

type Values = number | ReadonlyArray<number> | ReadonlyArray<ReadonlyArray<number>>
const tensor = (values: Values): tf.Tensor => tf.tensor(values as number[])
const numbers = (t: tf.Tensor): ReadonlyArray<number> => Array.from(t.dataSync(), (y) => y + 0)

/** The value of a clamp, and its gradients of x and the bounds, where the gradient that comes in counts 1, 2, 3, … */
const at = (f: typeof Clamp.between, x: Values, low: Values, high: Values) => {
  const inputs = [tensor(x), tensor(low), tensor(high)] as const
  const value = f(...inputs)
  const count = tf.reshape(tf.range(1, value.size + 1), value.shape)
  const { gradients } = Gradient.valueAndGradients(
    (given) => tf.sum(tf.mul(f(...(given as unknown as typeof inputs)), count)),
    inputs
  )
  const answer = {
    value: numbers(value),
    gradients: gradients.map((g) => (g === null ? null : numbers(g))),
    shapes: gradients.map((g) => g?.shape)
  }
  tf.dispose([...inputs, value, count, ...gradients.flatMap((g) => (g === null ? [] : [g]))])
  return answer
}

const { NaN: nan, POSITIVE_INFINITY: inf } = Number

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`Clamp on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("between: the gradient goes to what was selected; a value on a bound counts as x", () => {
      expect(at(Clamp.between, [-3, -1, 0.5, 2, 5], -1, 2)).toEqual({
        value: [-1, -1, 0.5, 2, 2],
        gradients: [[0, 2, 3, 4, 0], [1], [5]],
        shapes: [[5], [], []]
      })
    })
    it("between: the low bound wins where they cross", () => {
      expect(at(Clamp.between, [0, 5, 9], 4, 3)).toEqual({
        value: [4, 4, 4],
        gradients: [[0, 0, 0], [6], [0]],
        shapes: [[3], [], []]
      })
    })
    it("between: bounds per row and column are summed over what they were broadcast along", () => {
      const x = [
        [-9, 0, 9],
        [-9, 1, 9]
      ]
      expect(at(Clamp.between, x, [[-1], [-2]], [3, 4, 5])).toEqual({
        value: [-1, 0, 5, -2, 1, 5],
        gradients: [
          [0, 2, 0, 0, 5, 0],
          [1, 4],
          [0, 0, 9]
        ],
        shapes: [[2, 3], [2, 1], [3]]
      })
    })
    it("between: infinities are clamped, NaN passes", () => {
      expect(at(Clamp.between, [nan, inf, -inf], -1, 2).value).toEqual([nan, 2, -1])
      expect(at(Clamp.betweenStraightThrough, [nan, inf, -inf], -1, 2).value).toEqual([nan, 2, -1])
    })
    it("betweenStraightThrough: all of the gradient goes to x, none to the bounds", () => {
      expect(at(Clamp.betweenStraightThrough, [-3, -1, 0.5, 2, 5], -1, 2)).toEqual({
        value: [-1, -1, 0.5, 2, 2],
        gradients: [[1, 2, 3, 4, 5], null, null],
        shapes: [[5], undefined, undefined]
      })
    })
    it("atLeast: keeps the sign, zero is positive, the gradient is the identity's", () => {
      const atLeast =
        (min: number): typeof Clamp.between =>
        (x) =>
          Clamp.atLeast(x, min)
      for (const min of [0.5, -0.5])
        expect(at(atLeast(min), [-2, -0.5, -0.1, 0, 0.1, 0.5, inf, -inf], 0, 0)).toEqual({
          value: [-2, -0.5, -0.5, 0.5, 0.5, 0.5, inf, -inf],
          gradients: [[1, 2, 3, 4, 5, 6, 7, 8], null, null],
          shapes: [[8], undefined, undefined]
        })
      expect(at(atLeast(0.5), [nan], 0, 0).value).toEqual([nan])
      for (let size = 0; size <= 70; size++) {
        const x = Array.from({ length: size }, (_, i) => ((i * 37) % 23) / 8 - 1.5)
        expect(at(atLeast(0.5), x, 0, 0).value).toEqual(x.map((v) => (Math.abs(v) < 0.5 ? (v >= 0 ? 0.5 : -0.5) : v)))
      }
    })

    /** A clamp between numbers: its value, and the gradient of x where 1, 2, 3, … comes in. */
    const scalar = (f: (x: tf.Tensor) => tf.Tensor, x: Values) => {
      const { value, gradients } = at((t) => f(t), x, 0, 0)
      return [value, gradients[0]]
    }
    it("between: a scalar takes the shape of its bounds, and the gradients are summed", () => {
      expect(at(Clamp.between, 1, [0, 2, -3], [3, 4, -2])).toEqual({
        value: [1, 2, -2],
        gradients: [[1], [0, 2, 0], [0, 0, 3]],
        shapes: [[], [3], [3]]
      })
      expect(at(Clamp.betweenStraightThrough, 1, [0, 2, -3], [3, 4, -2]).gradients[0]).toEqual([6])
    })
    it("within: the high bound wins where they cross; no gradient beyond the bounds and for NaN", () => {
      const x = [-3, -1, 0.5, 2, 5, nan, inf, -inf]
      const value = [-1, -1, 0.5, 2, 2, nan, 2, -1]
      expect(scalar((t) => Clamp.within(t, -1, 2), x)).toEqual([value, [0, 2, 3, 4, 0, 0, 0, 0]])
      expect(scalar((t) => Clamp.withinStraightThrough(t, -1, 2), x)).toEqual([value, [1, 2, 3, 4, 5, 6, 7, 8]])
      for (const f of [Clamp.within, Clamp.withinStraightThrough])
        expect(scalar((t) => f(t, 4, 3), [0, 3.5, 9])[0]).toEqual([3, 3, 3])
    })
    it("notBelow: NaN passes without a gradient", () => {
      const x = [-3, 0.5, 2, nan, inf, -inf]
      expect(scalar((t) => Clamp.notBelow(t, 0.5), x)).toEqual([
        [0.5, 0.5, 2, nan, inf, 0.5],
        [0, 2, 3, 0, 5, 0]
      ])
      expect(scalar((t) => Clamp.notBelowStraightThrough(t, 0.5), x)[1]).toEqual([1, 2, 3, 4, 5, 6])
    })
    it("empty tensors stay empty", () => {
      for (const f of [
        (t: tf.Tensor) => Clamp.between(t, tf.scalar(0), tf.scalar(1)),
        (t: tf.Tensor) => Clamp.within(t, 0, 1),
        (t: tf.Tensor) => Clamp.notBelow(t, 0),
        (t: tf.Tensor) => Clamp.atLeast(t, 1)
      ])
        expect(tf.tidy(() => [f(tf.zeros([0, 3]))]).map((t) => t.shape)).toEqual([[0, 3]])
    })
  })
