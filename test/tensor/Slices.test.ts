import "@tensorflow/tfjs-backend-cpu"
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Slices from "../../src/tensor/Slices.ts"

const places = (slices: Slices.Slices): ReadonlyArray<ReadonlyArray<number>> =>
  Array.from({ length: slices.count }, (_, slice) =>
    Array.from({ length: slices.length }, (_, j) => Slices.start(slices, slice) + j * slices.inner)
  )

describe("Slices", () => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.cpu, { local: true }))))
  const x = () => tf.reshape(tf.range(0, 24), [2, 3, 4])

  it("lie as the tensor does", () => {
    for (const axis of [0, 1, 2])
      tf.tidy(() => {
        const rows = tf.reshape(tf.transpose(x(), [...[0, 1, 2].filter((i) => i !== axis), axis]), [
          -1,
          [2, 3, 4][axis]!
        ])
        expect(places(Slices.of(x(), { axis }))).toEqual(rows.arraySync())
      })
  })
  it("are counted from the end by a negative axis, and are one without an axis", () =>
    tf.tidy(() => {
      expect(places(Slices.of(x(), { axis: -1 }))).toEqual(places(Slices.of(x(), { axis: 2 })))
      expect(Slices.of(x(), {}).count).toBe(1)
      expect(() => Slices.of(x(), { axis: 3 })).toThrow(/axis/)
    }))
  it("say the shape that is left", () =>
    tf.tidy(() => {
      expect(Slices.of(x(), { axis: 1 }).reduced).toEqual([2, 4])
      expect(Slices.of(x(), { axis: 1, keepDims: true }).reduced).toEqual([2, 1, 4])
      expect(Slices.of(x(), { keepDims: true }).reduced).toEqual([])
      expect(Slices.of(tf.scalar(1), { axis: 0, keepDims: true })).toMatchObject({ count: 1, length: 1, reduced: [] })
      expect(Slices.of(tf.zeros([0, 3]), { axis: 0 })).toMatchObject({ count: 3, length: 0, reduced: [3] })
      expect(Slices.of(tf.zeros([0, 3]), { axis: 1 })).toMatchObject({ count: 0, length: 3, reduced: [0] })
    }))
  it("pick: the gradient goes back to what was picked", () =>
    tf.tidy(() => {
      const second = (y: tf.Tensor) =>
        Slices.pick(y, { axis: 1 }, (_, start, __, step) => (start < 12 ? start + step : -1))
      expect(second(x()).arraySync()).toEqual([
        [4, 5, 6, 7],
        [Number.NaN, Number.NaN, Number.NaN, Number.NaN]
      ])
      const dx = tf.grad(second)(x(), tf.fill([2, 4], 5))
      expect(Array.from(dx.dataSync())).toEqual(Array.from({ length: 24 }, (_, i) => (i >= 4 && i < 8 ? 5 : 0)))
    }))
  it("linear: p x + q sign(x), and nothing at 0 or NaN without p", () =>
    tf.tidy(() => {
      const slices = Slices.of(
        tf.tensor2d([
          [2, -3],
          [0, Number.NaN]
        ]),
        { axis: 1 }
      )
      const [p, q] = [Float64Array.of(10, 1), Float64Array.of(1, 1)]
      expect(Array.from(Slices.linear(slices, undefined, q).dataSync(), (y) => y + 0)).toEqual([1, -1, 0, 0])
      expect(Array.from(Slices.linear(slices, p, q).dataSync())).toEqual([21, -31, 0, Number.NaN])
    }))
})
