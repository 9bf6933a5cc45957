import * as tf from "@tensorflow/tfjs-core"
import { expect, it } from "vitest"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import { e4m3, failure, ints, leavesNothing, made, numbers, ok, onBackends, quantized } from "./QuantTensors.ts"

onBackends("joining", () => {
  it("values of one format, by the scale of the first", () =>
    void tf.tidy(() => {
      const [a, b] = [made([1, 2], [1, 2], { origin: "left" }), made([3, 4, 5, 6], [2, 2], { training: true })]
      const y = quantized(QuantTensor.concat([a, b]))
      expect([ints(y), y.value.shape, y.training, y.origin]).toEqual([[1, 2, 3, 4, 5, 6], [3, 2], true, "concat(left)"])
      expect([numbers(y.scale), numbers(y.bitWidth), QuantTensor.isValid(y)]).toEqual([[0.5], [8], true])
      expect(ints(quantized(QuantTensor.concat([b, b], -1)))).toEqual([3, 4, 3, 4, 5, 6, 5, 6])
    }))

  it("scales per channel of the axis stand side by side as well", () =>
    void tf.tidy(() => {
      const [a, b] = [made([1, 2], [1, 2], { scale: tf.tensor1d([1, 2]) }), made([3], [1, 1], { scale: 4 })]
      const y = quantized(QuantTensor.concat([a, b], 1))
      expect([ints(y), numbers(y), numbers(y.scale), y.scale.shape]).toEqual([
        [1, 2, 3],
        [1, 4, 12],
        [1, 2, 4],
        [1, 3]
      ])
      const gradient = tf.grad((scale: tf.Tensor) => quantized(QuantTensor.concat([a, { ...b, scale }], 1)).scale)
      expect(numbers(gradient(tf.scalar(4)))).toEqual([1])
      expect(failure(QuantTensor.concat([a, made([3, 4], [1, 2], { scale: 4 })], 0))).toMatchObject({
        _tag: "ScaleMismatch"
      })
      const zeroPoint = tf.tensor2d([[1, 5]])
      const moved = quantized(QuantTensor.concat([made([1, 2], [1, 2], { zeroPoint }), made([3], [1, 1])], 1))
      expect([ints(moved), numbers(moved.zeroPoint)]).toEqual([
        [1, 2, 3],
        [1, 5, 0]
      ])
    }))

  it.each([false, true])(
    "what differs is named (training: %s)",
    (training) =>
      void tf.tidy(() => {
        const x = made([1], [1], { training, origin: "x" })
        const float = { ...x, float: e4m3 }
        const others: ReadonlyArray<readonly [QuantTensor.QuantTensor, object, QuantTensor.QuantTensor?]> = [
          [made([1], [1], { scale: 2, training }), { _tag: "ScaleMismatch" }],
          [made([1], [1], { zeroPoint: 2, training }), { property: "zero-point", sides: [{ has: "0" }, { has: "2" }] }],
          [made([1], [1], { bits: 4, training }), { property: "bit width", sides: [{ has: "8" }, { has: "4" }] }],
          [made([1], [1], { signed: false, training }), { property: "sign" }],
          [float, { property: "kind", sides: [{ has: "integers" }, { has: "minifloats" }] }],
          [{ ...float, float: { ...e4m3, exponentBias: 8 } }, { property: "minifloat format" }, float]
        ]
        for (const [other, expected, first = x] of others)
          expect(failure(QuantTensor.concat([first, other]))).toMatchObject(expected)
        expect(failure(QuantTensor.concat([x, others[2]?.[0] as QuantTensor.QuantTensor])).message).toBe(
          'concat: the operands differ in their bit width: "x" has 8, operand 2 has 4; let them share one quantizer.'
        )
      })
  )

  it("minifloats without reserved codes too; plain tensors and groups make it plain; a single value is itself", () =>
    void tf.tidy(() => {
      const x = made([1, 2], [2])
      const float = { ...x, float: { ...e4m3, nanValues: undefined } }
      expect(quantized(QuantTensor.concat([float, float])).float).toEqual(float.float)
      const grouped = { ...x, grouped: { value: x.value, scale: x.scale, zeroPoint: x.zeroPoint, size: 2, dim: 0 } }
      for (const other of [tf.tensor1d([7]), grouped])
        expect(QuantTensor.isQuantTensor(ok(QuantTensor.concat([x, other])))).toBe(false)
      expect(ints(quantized(QuantTensor.concat([x])))).toEqual([1, 2])
    }))

  it("stacking makes an axis", () =>
    void tf.tidy(() => {
      const y = quantized(QuantTensor.stack([made([1, 2], [2]), made([3, 4], [2])], -1))
      expect([y.value.shape, ints(y)]).toEqual([
        [2, 2],
        [1, 3, 2, 4]
      ])
      expect(failure(QuantTensor.stack([made([1], [1]), made([1, 2], [2])]))).toMatchObject({ _tag: "ShapeMismatch" })
      expect(failure(QuantTensor.stack([]))).toMatchObject({ _tag: "ShapeMismatch" })
    }))

  it("shapes that do not fit", () =>
    void tf.tidy(() => {
      const [a, b] = [made([1, 2], [1, 2]), made([1, 2, 3], [1, 3])]
      expect(failure(QuantTensor.concat([a, b])).message).toBe("concat: expected shape [any, 2], got [1, 3]")
      for (const wrong of [
        QuantTensor.concat([]),
        QuantTensor.concat([a, a], 2),
        QuantTensor.concat([a, made([1], [1])])
      ])
        expect(failure(wrong)).toMatchObject({ _tag: "ShapeMismatch" })
    }))

  it("padding: zeros are on the grid, or have a zero-point of their own, or it is plain", () =>
    void tf.tidy(() => {
      const pad = (x: QuantTensor.Value) => ok(QuantTensor.pad(x, [[1, 0]]))
      const plain = pad(made([1, 2], [2])) as QuantTensor.QuantTensor
      expect([ints(plain), plain.zeroPoint.size]).toEqual([[0, 1, 2], 1])
      const moved = pad(made([1, 2], [2], { zeroPoint: 3 })) as QuantTensor.QuantTensor
      expect([ints(moved), numbers(moved), QuantTensor.isValid(moved)]).toEqual([[3, 1, 2], [0, -1, -0.5], true])
      for (const by of [0.1, 1000]) {
        const between = pad(ok(QuantTensor.add(made([1, 2], [2]), by))) as QuantTensor.QuantTensor
        expect([ints(between), numbers(between)[0], QuantTensor.isValid(between)]).toEqual([[0, 1, 2], 0, true])
      }
      const channels = pad(made([1, 2], [2], { scale: tf.tensor1d([1, 2]) })) as QuantTensor.QuantTensor
      expect([ints(channels), numbers(channels.scale), QuantTensor.isValid(channels)]).toEqual([
        [0, 1, 2],
        [1, 1, 2],
        true
      ])
      expect(QuantTensor.isQuantTensor(pad(made([1, -1], [2], { bits: 1 })))).toBe(false)
      expect(failure(QuantTensor.pad(made([1], [1]), [[0, -1]]))).toMatchObject({ _tag: "ShapeMismatch" })
      expect(failure(QuantTensor.pad(made([1], [1]), []))).toMatchObject({ _tag: "ShapeMismatch" })
    }))

  it("each answer has tensors of its own, and nothing else is left", () => {
    const two = () => [made([1, 2], [1, 2], { scale: tf.tensor1d([1, 2]) }), made([3], [1, 1])]
    leavesNothing(two, (a, b) => ok(QuantTensor.concat([a, b] as ReadonlyArray<QuantTensor.Value>, 1)))
    leavesNothing(two, (a) => ok(QuantTensor.concat([a as QuantTensor.Value])))
    leavesNothing(two, (a) => ok(QuantTensor.stack([a, a] as ReadonlyArray<QuantTensor.Value>)))
    leavesNothing(two, (a) =>
      ok(
        QuantTensor.pad(a as QuantTensor.Value, [
          [0, 0],
          [1, 1]
        ])
      )
    )
    leavesNothing(two, (a, b) => {
      failure(QuantTensor.stack([a, b] as ReadonlyArray<QuantTensor.Value>))
      return []
    })
  })
})
