import * as tf from "@tensorflow/tfjs-core"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import { made, numbers, ok, onBackends, quantized } from "./QuantTensors.ts"

const formats = [1, 2, 3, 4].flatMap((bits) => [true, false].map((signed) => ({ bits, signed })))
const pairs = formats.flatMap((a) => formats.map((b) => [a, b] as const))

/** All integers of a format; one signed bit is -1 and 1. */
const integersOf = ({ bits, signed }: (typeof formats)[number]): ReadonlyArray<number> => {
  if (signed && bits < 2) return [-1, 1]
  const low = signed ? -(2 ** (bits - 1)) : 0
  return Array.from({ length: 2 ** bits }, (_, i) => low + i)
}
/** Whether a width holds whole numbers; one signed bit holds -1 and 1, or -1 and 0. */
const inside = (whole: ReadonlyArray<number>, bits: number, signed: boolean): boolean => {
  if (signed && bits < 2)
    return [
      [-1, 1],
      [-1, 0]
    ].some((two) => whole.every((q) => two.includes(q)))
  const { low, high } = QuantTensor.boundsOf(bits, signed)
  return whole.every((q) => q >= low && q <= high)
}
const column = (of: (typeof formats)[number]) => made(integersOf(of), [integersOf(of).length, 1], of)
const row = (of: (typeof formats)[number]) => made(integersOf(of), [1, integersOf(of).length], of)

onBackends("widths", () => {
  it.each([
    ["add", QuantTensor.add, (a: number, b: number) => a + b],
    ["sub", QuantTensor.sub, (a: number, b: number) => a - b]
  ] as const)(
    "%s: all pairs of up to 4 bits fit, and in no bit less",
    (_, operation, f) =>
      void tf.tidy(() => {
        for (const [a, b] of pairs) {
          const y = quantized(operation(column(a), row(b)))
          const [bits] = numbers(y.bitWidth) as [number]
          const whole = integersOf(a).flatMap((p) => integersOf(b).map((q) => f(p, q)))
          expect(numbers(QuantTensor.int(y))).toEqual(whole)
          expect([a, b, QuantTensor.isValid(y), inside(whole, bits, y.signed)]).toEqual([a, b, true, true])
          expect([a, b, bits > 1 && inside(whole, bits - 1, y.signed)]).toEqual([a, b, false])
        }
      })
  )

  it("mul: all pairs of up to 4 bits fit", () =>
    void tf.tidy(() => {
      for (const [a, b] of pairs) {
        const y = quantized(QuantTensor.mul(column(a), row(b)))
        const [bits] = numbers(y.bitWidth) as [number]
        const whole = integersOf(a).flatMap((p) => integersOf(b).map((q) => p * q))
        expect([numbers(QuantTensor.int(y)), bits]).toEqual([whole.map((q) => q + 0), a.bits + b.bits])
        expect(inside(whole, bits, y.signed)).toBe(true)
      }
    }))

  it("neg and abs: all integers of up to 4 bits fit, and in no bit less", () =>
    void tf.tidy(() => {
      for (const of of formats) {
        const whole = integersOf(of)
        const [opposite, distance] = [QuantTensor.neg(row(of)), QuantTensor.abs(row(of)) as QuantTensor.QuantTensor]
        expect(numbers(QuantTensor.int(opposite))).toEqual(whole.map((q) => 0 - q))
        expect(numbers(QuantTensor.int(distance))).toEqual(whole.map(Math.abs))
        expect([QuantTensor.isValid(opposite), QuantTensor.isValid(distance)]).toEqual([true, true])
        const [b, d] = [opposite, distance].map((y) => numbers(y.bitWidth)[0]) as [number, number]
        const tight = (values: ReadonlyArray<number>, bits: number, signed: boolean): boolean =>
          bits === 1 || !inside(values, bits - 1, signed)
        expect([
          of,
          tight(
            whole.map((q) => 0 - q),
            b,
            true
          ),
          tight(whole.map(Math.abs), d, false)
        ]).toEqual([of, true, true])
      }
    }))

  it("an accumulator holds every sum of products, and an average's sum", () => {
    const format = fc.record({ bits: fc.integer({ min: 1, max: 8 }), signed: fc.boolean() })
    fc.assert(
      fc.property(format, format, fc.integer({ min: 1, max: 5000 }), (a, b, n) =>
        tf.tidy(() => {
          const [x, w] = [made([], [0], a), made([], [0], b)]
          const [p, q] = [QuantTensor.boundsOf(a.bits, a.signed), QuantTensor.boundsOf(b.bits, b.signed)]
          const sums = [p.low * q.low, p.low * q.high, p.high * q.low, p.high * q.high].map((corner) => corner * n)
          const [width] = numbers(QuantTensor.accumulatorBitWidth(x, w, n)) as [number]
          expect(inside(sums, width, a.signed || b.signed)).toBe(true)
          expect(width).toBeGreaterThanOrEqual(Math.ceil(Math.log2((2 ** a.bits - 1) * (2 ** b.bits - 1) * n)))
          const [total] = numbers(QuantTensor.totalBitWidth(x, n)) as [number]
          expect(inside([p.low * n, p.high * n], total, a.signed)).toBe(true)
        })
      ),
      { numRuns: 200 }
    )
  })

  it("where the usual formula is a bit short, the width is not: 515 products of 8 unsigned by 8 signed bits", () =>
    void tf.tidy(() => {
      const [x, w] = [made([], [0], { signed: false }), made([], [0])]
      expect(Math.ceil(Math.log2(255 * 255 * 515))).toBe(25)
      expect(numbers(QuantTensor.accumulatorBitWidth(x, w, 515))).toEqual([26])
      expect(-128 * 255 * 515).toBeLessThan(-(2 ** 24))
    }))

  it("slopes of widths: shares of the ranges, straight through the rounding", () =>
    void tf.tidy(() => {
      const slope = (f: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): ReadonlyArray<number> =>
        tf
          .grads(f as (...xs: Array<tf.Tensor>) => tf.Tensor)([tf.scalar(4), tf.tensor1d([8])])
          .flatMap(numbers)
      const of = (bitWidth: tf.Tensor) => ({ bitWidth, signed: true })
      const sum = slope((a, b) => QuantTensor.sumBitWidth(of(a), of(b)))
      ;[16 / 272, 256 / 272].forEach((share, i) => {
        expect(sum[i]).toBeCloseTo(share, 6)
      })
      const total = slope((a, b) => QuantTensor.accumulatorBitWidth(of(a), of(b), 9))
      ;[16 / 15, 256 / 255].forEach((one, i) => {
        expect(total[i]).toBeCloseTo(one, 6)
      })
      expect(slope((a, b) => QuantTensor.productBitWidth(of(a), of(b)))).toEqual([1, 1])
    }))

  it("widths per channel: the widest holds them all", () =>
    void tf.tidy(() => {
      const x = { ...made([1, 2], [1, 2]), bitWidth: tf.tensor2d([[4, 6]]) }
      expect(numbers(quantized(QuantTensor.add(x, x)).bitWidth)).toEqual([7])
    }))
})

describe("products of an output", () => {
  it("are counted for convolutions, groups and transposed convolutions", () => {
    expect(QuantTensor.convolutionProducts([3, 3], 16)).toBe(144)
    expect(QuantTensor.convolutionProducts([3, 3], 16, 16)).toBe(9)
    expect(QuantTensor.transposedProducts([3, 3], [2, 2], 16)).toBe(64)
    expect(QuantTensor.transposedProducts([2, 5], [2, 1], 4, 2)).toBe(10)
  })
  it("as many as ones sum up to", () =>
    void tf.tidy(() => {
      const ones = (shape: [number, number, number, number]) => tf.ones(shape) as tf.Tensor4D
      const y = tf.conv2dTranspose(ones([1, 5, 5, 3]), ones([3, 4, 2, 3]), [1, 11, 12, 2], [2, 2], "valid")
      expect(Math.max(...numbers(y))).toBe(QuantTensor.transposedProducts([3, 4], [2, 2], 3))
      expect(ok(QuantTensor.linear(made([1], [1, 1]), made([1], [1, 1])))).toBeDefined()
    }))
})
