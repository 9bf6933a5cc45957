import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as View from "../../src/op/View.ts"

const counted = (shape: ReadonlyArray<number>): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, (_, i) => i + 1),
    [...shape]
  )
const numbers = (x: tf.Tensor): ReadonlyArray<number> => [...x.dataSync()]
/** The gradient where 1, 2, 3, ... comes in. */
const gradient = (f: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor): ReadonlyArray<number> =>
  numbers(tf.grad(f)(x, counted(f(x).shape)))

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`View on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))
    const tidy = (f: () => void) => () => {
      const before = tf.memory().numTensors
      tf.tidy(f)
      expect(tf.memory().numTensors).toBe(before)
    }

    it(
      "padToMultiple: zeros at the end, which pass no gradient",
      tidy(() => {
        for (const axis of [1, -1]) {
          const padded = View.padToMultiple(counted([2, 3]), axis, 2)
          expect(padded.arraySync()).toEqual([
            [1, 2, 3, 0],
            [4, 5, 6, 0]
          ])
          expect(gradient((x) => View.padToMultiple(x, axis, 2), counted([2, 3]))).toEqual([1, 2, 3, 5, 6, 7])
        }
        expect(numbers(View.padToMultiple(counted([3, 1]), 0, 2))).toEqual([1, 2, 3, 0])
      })
    )
    it(
      "nothing is copied where nothing changes",
      tidy(() => {
        const x = counted([2, 4])
        const same = [
          View.padToMultiple(x, 1, 2),
          View.group(x, 2, 1),
          View.permute(x, [0, 1]),
          View.ungroup(counted([2, 2, 2]), 2, 1, [2, 4]),
          View.overTensor(x),
          View.overLast(x)
        ]
        for (const [i, y] of same.entries()) if (i !== 3) expect(y.dataId).toBe(x.dataId)
      })
    )
    it(
      "group and ungroup: there and back, for every axis",
      tidy(() => {
        const x = counted([3, 5, 4])
        for (const axis of [0, 1, 2, -1, -2])
          for (const size of [1, 2, 3, 8]) {
            const back = (y: tf.Tensor) => View.ungroup(View.group(y, size, axis), size, axis, x.shape)
            expect(numbers(back(x))).toEqual(numbers(x))
            expect(gradient(back, x)).toEqual(numbers(x))
          }
        expect(View.group(x, 2, 1).shape).toEqual([3, 3, 2, 4])
        expect(View.group(x, 2, -1).shape).toEqual([3, 5, 2, 2])
      })
    )
    it(
      "ungroup: what groups have in common is repeated, and sums its gradients",
      tidy(() => {
        const scales = tf.tensor([10, 20, 30, 40], [2, 2, 1])
        const whole = (s: tf.Tensor) => View.ungroup(s, 2, 1, [2, 3])
        expect(whole(scales).arraySync()).toEqual([
          [10, 10, 20],
          [30, 30, 40]
        ])
        expect(gradient(whole, scales)).toEqual([3, 3, 9, 6])
        expect(numbers(View.ungroup(tf.tensor([1, 2, 3, 4], [2, 1, 2]), 2, 0, [3, 2]))).toEqual([1, 2, 1, 2, 3, 4])
        expect(View.ungroup(tf.scalar(3), 2, 0, [3, 2]).shape).toEqual([])
      })
    )
    it(
      "resize and repeat: element by element, for every axis and many sizes",
      tidy(() => {
        for (const shape of [[5], [3, 7], [2, 3, 33]])
          for (const axis of shape.keys())
            for (const size of [0, 1, 2, 34, 70]) {
              const x = counted(shape)
              const [inner, own] = [shape.slice(axis + 1).reduce((n, d) => n * d, 1), shape[axis] as number]
              /** the element at each place of the answer, from its indices before, along and after the axis */
              const filled = (of: number, f: (outer: number, along: number, last: number) => number) =>
                Array.from({ length: (x.size / own / inner) * of * inner }, (_, i) =>
                  f(Math.floor(i / (of * inner)), Math.floor(i / inner) % of, i % inner)
                )
              const place = (outer: number, along: number, last: number) => (outer * own + along) * inner + last + 1
              expect(numbers(View.resize(x, axis, size))).toEqual(
                filled(size, (o, a, l) => (a < own ? place(o, a, l) : 0))
              )
              const one = counted(shape.map((d, i) => (i === axis ? 1 : d)))
              const of = (o: number, _: number, l: number) => o * inner + l + 1
              expect(numbers(View.repeat(one, axis, size))).toEqual(
                Array.from({ length: (one.size / inner) * size * inner }, (_, i) =>
                  of(Math.floor(i / (size * inner)), 0, i % inner)
                )
              )
            }
      })
    )
    it(
      "permute: the gradient comes back in order",
      tidy(() => {
        const turned = (x: tf.Tensor) => View.permute(x, [2, 0, 1])
        expect(turned(counted([2, 3, 4])).shape).toEqual([4, 2, 3])
        expect(gradient((x) => View.permute(turned(x), [1, 2, 0]), counted([2, 3, 4]))).toEqual(numbers(counted([24])))
      })
    )
    it(
      "empty shapes are legal",
      tidy(() => {
        const x = tf.zeros([0, 3])
        expect(View.overTensor(x).shape).toEqual([0])
        expect(View.overRows(x, 1).shape).toEqual([0, 3])
        expect(View.overRows(tf.zeros([2, 0, 3]), 1).shape).toEqual([2, 0])
        expect(View.overLast(x).shape).toEqual([0, 3])
        expect(View.permute(x, [1, 0]).shape).toEqual([3, 0])
        expect(View.group(x, 2, 0).shape).toEqual([0, 2, 3])
        expect(View.group(x, 2, 1).shape).toEqual([0, 2, 2])
        expect(View.ungroup(View.group(x, 2, 1), 2, 1, [0, 3]).shape).toEqual([0, 3])
        expect(View.ungroup(tf.zeros([0, 2, 1]), 2, 1, [0, 3]).shape).toEqual([0, 3])
        expect(View.overTensor(tf.scalar(1)).shape).toEqual([1])
      })
    )
    it(
      "what is not finite passes",
      tidy(() => {
        const x = tf.tensor([[Number.NaN, Number.POSITIVE_INFINITY, -0]])
        expect(numbers(View.padToMultiple(x, 1, 2))).toEqual([Number.NaN, Number.POSITIVE_INFINITY, -0, 0])
      })
    )
  })
