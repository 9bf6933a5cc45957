import * as tf from "@tensorflow/tfjs-core"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import { e4m3, failure, ints, leavesNothing, made, numbers, ok, onBackends, quantized } from "./QuantTensors.ts"

const four = fc.array(fc.integer({ min: -128, max: 127 }), { minLength: 4, maxLength: 4 })
const step = fc.constantFrom(0.5, 0.1, 0.003, 7)
const { NaN: nan } = Number

onBackends("arithmetic", () => {
  it("integers add up, and so do their zero-points", () => {
    fc.assert(
      fc.property(four, four, step, fc.nat(20), fc.nat(20), (a, b, scale, y, z) =>
        tf.tidy(() => {
          const [left, right] = [made(a, [2, 2], { scale, zeroPoint: y }), made(b, [2, 2], { scale, zeroPoint: z })]
          const sum = quantized(QuantTensor.add(left, right))
          expect(ints(sum)).toEqual(a.map((p, i) => p + (b[i] as number)))
          expect([numbers(sum.zeroPoint), QuantTensor.isValid(sum)]).toEqual([[y + z], true])
          const difference = quantized(QuantTensor.sub(left, right))
          expect(ints(difference)).toEqual(a.map((p, i) => p - (b[i] as number)))
          expect([numbers(difference.zeroPoint), QuantTensor.isValid(difference)]).toEqual([[y - z], true])
        })
      ),
      { numRuns: 40 }
    )
  })

  it("a sum commutes, and a value and its negative add up to 0", () => {
    fc.assert(
      fc.property(four, step, fc.nat(20), fc.double({ min: -9, max: 9, noNaN: true }), (a, scale, zeroPoint, by) =>
        tf.tidy(() => {
          const x = made(a, [4], { scale, zeroPoint })
          const plain = tf.tensor1d([by, -by, 2 * by, 0])
          for (const other of [x, plain, by] as const) {
            const [left, right] = [quantized(QuantTensor.add(x, other)), quantized(QuantTensor.add(other, x))]
            expect(numbers(left)).toEqual(numbers(right))
            expect([ints(left), ints(right)]).toEqual(other === x ? [ints(left), ints(left)] : [a, a])
          }
          expect(numbers(ok(QuantTensor.add(x, QuantTensor.neg(x))))).toEqual([0, 0, 0, 0])
          expect(numbers(ok(QuantTensor.sub(x, x)))).toEqual([0, 0, 0, 0])
        })
      ),
      { numRuns: 30 }
    )
  })

  it("a plain tensor or a number moves the zero-point, and leaves integers, width and sign", () =>
    void tf.tidy(() => {
      const x = made([1, -2, 3], [3], { scale: 0.5, bits: 4 })
      const cases: ReadonlyArray<readonly [QuantTensor.Value, ReadonlyArray<number>]> = [
        [ok(QuantTensor.add(x, 0.25)), [0.75, -0.75, 1.75]],
        [ok(QuantTensor.sub(x, 0.25)), [0.25, -1.25, 1.25]],
        [ok(QuantTensor.sub(x, tf.tensor1d([1, 0, -1]))), [-0.5, -1, 2.5]]
      ]
      for (const [y, values] of cases) {
        expect([numbers(y), ints(y)]).toEqual([values, [1, -2, 3]])
        const { bitWidth, signed } = y as QuantTensor.QuantTensor
        expect([numbers(bitWidth), signed]).toEqual([[4], true])
      }
      const other = quantized(QuantTensor.sub(2, x))
      expect([numbers(other), ints(other), numbers(other.bitWidth)]).toEqual([[1.5, 3, 0.5], [-1, 2, -3], [5]])
    }))

  it.each([false, true])(
    "scales that differ fail (training: %s), and the message names sides and repair",
    (training) =>
      void tf.tidy(() => {
        const a = made([1], [1], { scale: 0.1, training, origin: "conv1.output" })
        const b = made([1], [1], { scale: tf.tensor1d([0.1, 0.2, 0.3, 0.4, 0.5]), training, origin: "conv2.output" })
        const error = failure(QuantTensor.add(a, b))
        expect(error).toMatchObject({
          _tag: "ScaleMismatch",
          operation: "add",
          sides: [
            { origin: "conv1.output", has: "0.1" },
            { origin: "conv2.output", has: "[0.1, 0.2, 0.3, 0.4, … (5)]" }
          ]
        })
        expect(error.message).toBe(
          'add: the scales differ: "conv1.output" has 0.1, "conv2.output" has [0.1, 0.2, 0.3, 0.4, … (5)]; let the operands share ' +
            "one quantizer, or put one onto the other's grid with alignScales."
        )
        expect(failure(QuantTensor.sub(a, b))).toMatchObject({ _tag: "ScaleMismatch", operation: "sub" })
      })
  )

  it("scales are the same to 1e-5, wherever they stand; NaN is no scale, but like itself", () =>
    void tf.tidy(() => {
      const of = (scale: number | tf.Tensor) => made([1, 2, 3, 4], [2, 2], { scale })
      const same = (a: number | tf.Tensor, b: number | tf.Tensor) => QuantTensor.sameScale(of(a), of(b))
      expect([same(1, 1.000009), same(1, 1.00002), same(1, nan), same(nan, nan)]).toEqual([true, false, false, false])
      const row = (...all: ReadonlyArray<number>) => tf.tensor2d([[...all]])
      expect([same(row(1, 2), row(1, 2)), same(row(1, 2), tf.tensor1d([1, 2])), same(row(1, 1), 1)]).toEqual([
        true,
        true,
        true
      ])
      expect([same(row(1, 2), row(2, 1)), same(row(1, 2), tf.tensor2d([[1], [2]])), same(1, row(1, 2))]).toEqual([
        false,
        false,
        false
      ])
      const scale = tf.scalar(nan)
      expect(QuantTensor.sameScale({ ...of(1), scale }, { ...of(1), scale })).toBe(true)
      expect(QuantTensor.sameScale(tf.scalar(1), of(1))).toBe(false)
    }))

  it("products of integers: scales multiply; a zero-point is a failure; with plain tensors, plain", () => {
    fc.assert(
      fc.property(four, four, step, step, (a, b, s, t) =>
        tf.tidy(() => {
          const y = quantized(QuantTensor.mul(made(a, [4], { scale: s }), made(b, [4], { scale: t })))
          expect(ints(y)).toEqual(a.map((p, i) => p * (b[i] as number) + 0))
          expect(QuantTensor.isValid(y)).toBe(true)
        })
      ),
      { numRuns: 30 }
    )
    tf.tidy(() => {
      const [x, z] = [made([2], [1]), made([2], [1], { zeroPoint: 3, origin: "embedding" })]
      for (const f of [QuantTensor.mul, QuantTensor.div]) {
        const error = failure(f(x, z))
        expect(error).toMatchObject({ _tag: "UnsupportedZeroPoint", sides: [{ has: "0" }, { has: "3" }] })
        expect(error.message).toContain('operand 1 has 0, "embedding" has 3; use a quantizer without one')
      }
      expect(numbers(ok(QuantTensor.mul(z, 2)))).toEqual([-1])
      expect(QuantTensor.isQuantTensor(ok(QuantTensor.mul(x, tf.scalar(2))))).toBe(false)
      expect(numbers(ok(QuantTensor.div(2, x)))).toEqual([2])
    })
  })

  it("a zero-point between integers has no magnitude on the grid; a whole one has", () =>
    void tf.tidy(() => {
      const between = ok(QuantTensor.add(made([1, -2], [2]), 0.1))
      expect(QuantTensor.isQuantTensor(QuantTensor.abs(between))).toBe(false)
      const whole = QuantTensor.abs(made([0, 255], [2], { signed: false, zeroPoint: 12 })) as QuantTensor.QuantTensor
      expect([ints(whole), numbers(whole.bitWidth), numbers(whole.zeroPoint)]).toEqual([[12, 243], [8], [0]])
    }))

  it("shapes broadcast; those that do not are a failure with both", () =>
    void tf.tidy(() => {
      const y = quantized(QuantTensor.add(made([1, 2], [2, 1]), made([10, 20, 30], [3])))
      expect([y.value.shape, ints(y)]).toEqual([
        [2, 3],
        [11, 21, 31, 12, 22, 32]
      ])
      for (const f of [QuantTensor.add, QuantTensor.sub, QuantTensor.mul, QuantTensor.div])
        expect(failure<unknown>(f(made([1, 2], [2]), tf.tensor1d([1, 2, 3])))).toMatchObject({
          _tag: "ShapeMismatch",
          expected: "[2], or what broadcasts with it",
          actual: [3]
        })
    }))

  it("minifloats and groups give plain tensors; negatives and magnitudes keep them", () =>
    void tf.tidy(() => {
      const float = { ...made([1, -3], [2]), float: e4m3 }
      for (const f of [QuantTensor.add, QuantTensor.sub, QuantTensor.mul, QuantTensor.div])
        expect(QuantTensor.isQuantTensor(ok(f(float, float)))).toBe(false)
      expect(numbers(QuantTensor.minifloat(QuantTensor.neg(float)))).toEqual([-1, 3])
      expect(QuantTensor.abs(float)).toMatchObject({ float: e4m3, signed: false })
    }))

  it("a result knows what it was made of", () =>
    void tf.tidy(() => {
      const [a, b] = [made([1], [1], { origin: "left" }), made([1], [1], { origin: "right" })]
      const sum = quantized(QuantTensor.add(a, b))
      expect(sum.origin).toBe("add(left, right)")
      expect(QuantTensor.neg(sum).origin).toBe("neg(add(left, right))")
      expect(quantized(QuantTensor.mul(made([1], [1]), made([1], [1]))).origin).toBeUndefined()
      const long = made([1], [1], { origin: "a".repeat(90) })
      expect(QuantTensor.neg(long).origin).toBe("neg(…)")
    }))

  it("NaN passes", () =>
    void tf.tidy(() => {
      const x = made([1, 2], [2])
      const y = { ...x, value: tf.tensor1d([nan, 1]) }
      for (const f of [QuantTensor.add, QuantTensor.sub, QuantTensor.mul, QuantTensor.div])
        expect(numbers(ok(f(y, x)))[0]).toBeNaN()
      expect([QuantTensor.neg(y), QuantTensor.abs(y)].map((one) => numbers(one)[0])).toEqual([nan, nan])
      expect(numbers(quantized(QuantTensor.add(x, nan)).zeroPoint)).toEqual([nan])
    }))

  it("each answer has tensors of its own, and nothing else is left", () => {
    const two = () => [made([1, 2], [2]), made([3, -4], [2])]
    for (const f of [QuantTensor.add, QuantTensor.sub, QuantTensor.mul, QuantTensor.div]) {
      leavesNothing(two, (a, b) => ok(f(a as QuantTensor.QuantTensor, b as QuantTensor.QuantTensor)))
      leavesNothing(two, (a) => ok(f(a as QuantTensor.QuantTensor, 2)))
      leavesNothing(two, (a) => ok(f(2, a as QuantTensor.QuantTensor)))
    }
    leavesNothing(two, (a) => QuantTensor.neg(a as QuantTensor.QuantTensor))
    leavesNothing(two, (a) => QuantTensor.abs(a as QuantTensor.QuantTensor))
    leavesNothing(two, (a) => QuantTensor.shared(a as QuantTensor.QuantTensor))
    leavesNothing(two, (a) => QuantTensor.detached(a as QuantTensor.QuantTensor))
    leavesNothing(
      () => [made([1], [1]), made([1], [1], { scale: 3 })],
      (a, b) => {
        failure(QuantTensor.add(a as QuantTensor.QuantTensor, b as QuantTensor.QuantTensor))
        return []
      }
    )
  })
})
