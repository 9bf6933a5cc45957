import * as tf from "@tensorflow/tfjs-core"
import { expect, it } from "vitest"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import { e4m3, failure, ints, leavesNothing, made, numbers, ok, onBackends } from "./QuantTensors.ts"

const { NaN: nan } = Number
const isQuantized = QuantTensor.isQuantTensor

onBackends("invariant functions", () => {
  it("clipping keeps the format where the bounds are values of it, or out of its reach", () =>
    void tf.tidy(() => {
      const x = made([-3, 0, 2, 7], [4], { bits: 4 })
      expect([ints(QuantTensor.relu(x)), numbers(QuantTensor.relu(x))]).toEqual([
        [0, 0, 2, 7],
        [0, 0, 1, 3.5]
      ])
      expect(ints(QuantTensor.hardTanh(x))).toEqual([-2, 0, 2, 2])
      expect(ints(QuantTensor.relu6(x))).toEqual([0, 0, 2, 7])
      expect(ints(QuantTensor.clip(x, -100, 100))).toEqual([-3, 0, 2, 7])
      for (const clipped of [QuantTensor.clip(x, 0.2, 2), QuantTensor.clip(x, 0, 0.7), QuantTensor.clip(x, -2, -1.9)])
        expect(isQuantized(clipped)).toBe(false)
      expect(numbers(QuantTensor.clip(x, 0, 0.7)).map((y) => Math.fround(y))).toEqual([0, 0, 0.7, 0.7].map(Math.fround))
    }))

  it("clipping at 0 where 0 is no value of the format gives a plain tensor", () =>
    void tf.tidy(() => {
      expect(isQuantized(QuantTensor.relu(ok(QuantTensor.add(made([1, -2], [2]), 0.2))))).toBe(false)
      expect(isQuantized(QuantTensor.relu(ok(QuantTensor.sub(made([1, -2], [2]), 64.5))))).toBe(false)
      expect(isQuantized(QuantTensor.relu(made([1, -1], [2], { bits: 1 })))).toBe(false)
      const moved = QuantTensor.relu(made([0, 12, 20], [3], { zeroPoint: 12, signed: false }))
      expect([ints(moved), QuantTensor.isValid(moved as QuantTensor.QuantTensor)]).toEqual([[12, 12, 20], true])
      expect(isQuantized(QuantTensor.relu({ ...made([1, -2], [2]), float: e4m3 }))).toBe(true)
    }))

  it("gradients of clips: 0 at the bounds and beyond", () =>
    void tf.tidy(() => {
      const x = made([-3, 0, 1, 2, 7], [5])
      const slope = (f: (x: QuantTensor.Value) => QuantTensor.Value) =>
        numbers(tf.grad((value) => QuantTensor.dequantized(f({ ...x, value })))(x.value))
      expect(slope(QuantTensor.relu)).toEqual([0, 0, 1, 1, 1])
      expect(slope((y) => QuantTensor.clip(y, 0, 1))).toEqual([0, 0, 1, 0, 0])
    }))

  it("NaN passes", () =>
    void tf.tidy(() => {
      const x = { ...made([1, 2], [2]), value: tf.tensor1d([nan, -1]) }
      for (const f of [QuantTensor.relu, QuantTensor.relu6, QuantTensor.hardTanh]) expect(numbers(f(x))[0]).toBeNaN()
    }))

  it("pooling by maximum keeps scales per channel; what they do not fit any more is plain", () =>
    void tf.tidy(() => {
      const whole = Array.from({ length: 8 }, (_, i) => (i * 5) % 8)
      const x = made(whole, [1, 2, 2, 2], { scale: tf.tensor1d([1, 2]) })
      const y = ok(QuantTensor.maxPool2d(x, { size: [2, 2] }))
      expect([ints(y), QuantTensor.shapeOf(y), numbers(y)]).toEqual([
        [6, 7],
        [1, 1, 1, 2],
        [6, 14]
      ])
      expect(isQuantized(QuantTensor.keeping(x, (value) => tf.reshape(value, [8])))).toBe(false)
      expect(failure(QuantTensor.maxPool2d(made([1], [1]), { size: [1, 1] }))).toMatchObject({ _tag: "ShapeMismatch" })
    }))

  it("a scale of more axes than the answer is still one number", () =>
    void tf.tidy(() => {
      const x = made([1, 2], [1, 2], { scale: tf.tensor2d([[0.5]]) })
      const y = QuantTensor.keeping(x, (value) => tf.max(value)) as QuantTensor.QuantTensor
      expect([y.scale.shape, QuantTensor.isValid(y), ints(y)]).toEqual([[], true, [2]])
    }))

  it("each answer has tensors of its own, and nothing else is left", () => {
    const one = () => [made([1, -2], [1, 1, 1, 2], { scale: tf.tensor1d([1, 2]) })]
    leavesNothing(one, (x) => QuantTensor.relu(x as QuantTensor.Value))
    leavesNothing(one, (x) => QuantTensor.clip(x as QuantTensor.Value, 0, 0.3))
    leavesNothing(one, (x) => QuantTensor.keeping(x as QuantTensor.Value, (value) => value))
    leavesNothing(one, (x) => ok(QuantTensor.maxPool2d(x as QuantTensor.Value, { size: [1, 1] })))
    leavesNothing(
      () => [tf.tensor1d([1])],
      (x) => QuantTensor.keeping(x as QuantTensor.Value, (value) => value)
    )
  })
})
