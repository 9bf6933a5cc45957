import * as tf from "@tensorflow/tfjs-core"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import { e4m3, failure, ints, leavesNothing, made, numbers, ok, onBackends, quantized } from "./QuantTensors.ts"

const { NaN: nan } = Number
const whole = (length: number) => fc.array(fc.integer({ min: -8, max: 7 }), { minLength: length, maxLength: length })
const product = (a: ReadonlyArray<number>, b: ReadonlyArray<number>, [n, k, m]: readonly [number, number, number]) =>
  Array.from({ length: n * m }, (_, i) =>
    Array.from(
      { length: k },
      (_, j) => (a[Math.floor(i / m) * k + j] as number) * (b[j * m + (i % m)] as number)
    ).reduce((x, y) => x + y, 0)
  )

onBackends("products", () => {
  it("a product of matrices has the integers of the product, per column where the weight has scales per column", () => {
    fc.assert(
      fc.property(whole(6), whole(6), fc.boolean(), (a, b, perColumn) =>
        tf.tidy(() => {
          const scale = perColumn ? tf.tensor2d([[0.1, 3]]) : tf.scalar(0.1)
          const [x, w] = [made(a, [2, 3], { bits: 4 }), made(b, [3, 2], { bits: 4, scale })]
          const y = quantized(QuantTensor.matMul(x, w))
          expect([ints(y), QuantTensor.isValid(y)]).toEqual([product(a, b, [2, 3, 2]), true])
          expect(y.scale.shape).toEqual([1, perColumn ? 2 : 1])
        })
      ),
      { numRuns: 30 }
    )
  })

  it("stacks of matrices", () =>
    void tf.tidy(() => {
      const [x, w] = [made([1, 2, 3, 4], [2, 1, 2]), made([1, 1, 2, -1], [2, 2, 1])]
      expect([ints(ok(QuantTensor.matMul(x, w))), QuantTensor.shapeOf(ok(QuantTensor.matMul(x, w)))]).toEqual([
        [3, 2],
        [2, 1, 1]
      ])
    }))

  it("a plain bias moves the zero-point, a quantized one of the same grid the integers", () =>
    void tf.tidy(() => {
      const [x, w] = [made([1, 2], [1, 2], { bits: 4 }), made([3, -1, 2, 1], [2, 2], { bits: 4, scale: 0.1 })]
      const plain = quantized(QuantTensor.linear(x, w, tf.tensor1d([0.02, -1])))
      expect([ints(plain), plain.zeroPoint.shape, QuantTensor.isValid(plain)]).toEqual([[7, 1], [1, 2], true])
      const bias = made([5, -9], [2], { scale: 0.05, bits: 16 })
      const y = quantized(QuantTensor.linear(x, w, bias))
      expect([ints(y), numbers(y.bitWidth), numbers(y.zeroPoint)]).toEqual([[12, -8], [17], [0]])
      const other = quantized(QuantTensor.linear(x, w, made([5, -9], [2], { scale: 0.3 })))
      expect([ints(other), numbers(other.bitWidth)]).toEqual([[7, 1], [10]])
    }))

  it("an unsigned sum with a signed bias is signed, and holds both", () =>
    void tf.tidy(() => {
      const unsigned = { signed: false, bits: 4 }
      const [x, w] = [made([15], [1, 1], unsigned), made([15], [1, 1], { ...unsigned, scale: 1 })]
      const y = quantized(QuantTensor.linear(x, w, made([-128], [1], { bits: 8 })))
      const [bits] = numbers(y.bitWidth) as [number]
      expect([ints(y), y.signed, QuantTensor.isValid(y)]).toEqual([[97], true, true])
      expect(2 ** (bits - 1) - 1).toBeGreaterThanOrEqual(255 + 127)
    }))

  it("what has no common grid is plain: zero-points, minifloats, scales within the sum, scales of the input's channels", () =>
    void tf.tidy(() => {
      const [x, w] = [made([1, 2], [1, 2]), made([1, 2, 3, 4], [2, 2])]
      const pairs: ReadonlyArray<readonly [QuantTensor.Value, QuantTensor.Value]> = [
        [{ ...x, zeroPoint: tf.scalar(1) }, w],
        [x, { ...w, zeroPoint: tf.scalar(1) }],
        [{ ...x, float: e4m3 }, w],
        [x, { ...w, scale: tf.tensor2d([[1], [2]]) }],
        [{ ...x, scale: tf.tensor2d([[1, 2]]) }, w],
        [x.value, w],
        [x, w.value]
      ]
      for (const [a, b] of pairs) expect(QuantTensor.isQuantTensor(ok(QuantTensor.matMul(a, b)))).toBe(false)
    }))

  it("channels of a depthwise filter are its last two axes", () =>
    void tf.tidy(() => {
      const scale = tf.tensor4d([1, 2, 3], [1, 1, 3, 1])
      const weight = made([1, 2, 3, 4, 5, 6], [1, 1, 3, 2], { scale })
      const x = made([1, 1, 1], [1, 1, 1, 3])
      const value = tf.depthwiseConv2d(x.value as tf.Tensor4D, weight.value as tf.Tensor4D, 1, "valid")
      const about = { input: x, weight, products: 1 }
      const y = QuantTensor.productsOf(value, { ...about, outputAxes: [2, 3], origin: "depthwise" })
      expect([ints(y), QuantTensor.isQuantTensor(y) && y.scale.shape]).toEqual([
        [1, 2, 3, 4, 5, 6],
        [1, 1, 1, 6]
      ])
      expect(y).toMatchObject({ origin: "depthwise" })
      expect(QuantTensor.isQuantTensor(QuantTensor.productsOf(value, about))).toBe(false)
    }))

  it("averages lie on a grid as many times finer; padding counts, zero-points add up", () =>
    void tf.tidy(() => {
      const x = made([1, 2, 3, 5], [1, 2, 2, 1], { zeroPoint: 3 })
      const y = quantized(QuantTensor.avgPool2d(x, { size: [2, 2] }))
      expect([numbers(y), ints(y), numbers(y.zeroPoint), numbers(y.bitWidth)]).toEqual([[-0.125], [11], [12], [10]])
      const padded = quantized(QuantTensor.avgPool2d(x, { size: [2, 2], strides: [2, 2], pad: 1, divisor: 2 }))
      expect([ints(padded), numbers(padded.scale)]).toEqual([[10, 11, 12, 14], [0.25]])
      expect(QuantTensor.isValid(padded)).toBe(true)
      const between = ok(QuantTensor.add(x, 0.1))
      const [inside, outside] = [{ size: [2, 2] as const }, { size: [2, 2] as const, pad: 1 }]
      expect(QuantTensor.isQuantTensor(ok(QuantTensor.avgPool2d(between, inside)))).toBe(true)
      expect(QuantTensor.isQuantTensor(ok(QuantTensor.avgPool2d(between, outside)))).toBe(false)
      expect(failure(QuantTensor.avgPool2d(made([1], [1]), { size: [1, 1] }))).toMatchObject({ _tag: "ShapeMismatch" })
    }))

  it("rows of a table come with their scales", () =>
    void tf.tidy(() => {
      const table = made([1, 2, 3, 4, 5, 6], [3, 2], {
        scale: tf.tensor2d([[1], [2], [3]]),
        zeroPoint: tf.tensor2d([[1, 0]])
      })
      const indices = tf.tensor2d([[2, 0, 2]], [1, 3], "int32")
      const y = quantized(QuantTensor.rows(table, indices))
      expect([ints(y), y.value.shape, numbers(y.scale), y.scale.shape, y.zeroPoint.shape]).toEqual([
        [5, 6, 1, 2, 5, 6],
        [1, 3, 2],
        [3, 1, 3],
        [1, 3, 1],
        [1, 1, 2]
      ])
      const slope = tf.grad((scale: tf.Tensor) => quantized(QuantTensor.rows({ ...table, scale }, indices)).scale)
      expect(numbers(slope(table.scale))).toEqual([1, 0, 2])
      const wrong = failure(QuantTensor.rows(table, tf.tensor1d([0, 3], "int32")))
      expect(wrong.message).toBe('rows: option "indices" has 3, and the table 3 rows')
      expect(failure(QuantTensor.rows(tf.scalar(1), indices))).toMatchObject({ _tag: "ShapeMismatch" })
    }))

  it("shapes that do not fit are failures", () =>
    void tf.tidy(() => {
      const [x, w] = [made([1, 2], [1, 2]), made([1, 2, 3], [3, 1])]
      const wrong = [
        QuantTensor.matMul(x, w),
        QuantTensor.matMul(x, made([1, 2], [2])),
        QuantTensor.matMul(made([1, 2], [1, 1, 2]), made([1, 2, 3, 4], [2, 2, 1])),
        QuantTensor.linear(x, w),
        QuantTensor.linear(x, made([1], [1])),
        QuantTensor.linear(x, made([1, 2], [2, 1]), tf.tensor1d([1, 2]))
      ]
      for (const one of wrong) expect(failure(one)).toMatchObject({ _tag: "ShapeMismatch" })
    }))

  it("NaN passes", () =>
    void tf.tidy(() => {
      const x = { ...made([1, 2], [1, 2]), value: tf.tensor2d([[nan, 1]]) }
      expect(numbers(ok(QuantTensor.matMul(x, made([1, 2], [2, 1]))))).toEqual([nan])
    }))

  it("each answer has tensors of its own, and nothing else is left", () => {
    const two = () => [made([1, 2], [1, 2]), made([1, 2, 3, 4], [2, 2], { scale: tf.tensor2d([[1, 2]]) })]
    const value = (x: QuantTensor.QuantTensor | undefined): QuantTensor.QuantTensor => x as QuantTensor.QuantTensor
    leavesNothing(two, (x, w) => ok(QuantTensor.matMul(value(x), value(w))))
    leavesNothing(two, (x, w) => ok(QuantTensor.linear(value(x).value, value(w))))
    leavesNothing(
      () => [...two(), made([1, 2], [2], { scale: 0.5 })],
      (x, w, b) => ok(QuantTensor.linear(value(x), value(w), value(b)))
    )
    leavesNothing(two, (x) => QuantTensor.averagesOf(value(x).value, value(x), 4))
    leavesNothing(
      () => [made([1, 2], [2, 1]), tf.tensor1d([1, 0], "int32")],
      (x, i) => ok(QuantTensor.rows(value(x), value(i) as unknown as tf.Tensor))
    )
    leavesNothing(
      () => [made([1, 2, 3, 4], [1, 2, 2, 1])],
      (x) => ok(QuantTensor.avgPool2d(value(x), { size: [2, 2], pad: 1, divisor: 3 }))
    )
  })
})
