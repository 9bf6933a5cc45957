import { describe, expect, it } from "vitest"
import * as Float32 from "../../src/tensor/Float32.ts"

const { NaN: nan, POSITIVE_INFINITY: inf, NEGATIVE_INFINITY: minus } = Number

const single = new Float32Array(1)
const bits = new Int32Array(single.buffer)
const pattern = (x: number): number => {
  single[0] = x
  return bits[0] as number
}
/** The float32 `steps` below x > 0. */
const below = (x: number, steps: number): number => {
  single[0] = x
  bits[0] = (bits[0] as number) - steps
  return single[0] as number
}
/** 2^n by doubling and halving alone. */
const power = (n: number): number => (n < 0 ? power(n + 1) / 2 : n === 0 ? 1 : 2 * power(n - 1))
const whole = Array.from({ length: 278 }, (_, i) => i - 149)

describe("Float32", () => {
  it("exp2 is exact for whole exponents, down to denormals", () => {
    for (const n of whole) expect(Float32.exp2(n)).toBe(power(n))
    expect([129, 1e30, inf, -152, minus].map(Float32.exp2)).toEqual([inf, inf, inf, 0, 0])
    expect(Float32.exp2(nan)).toBe(nan)
  })
  it("exp2 and log2 are right to 1e-15 in between", () => {
    for (let x = -140; x < 128; x += 0.37) expect(Math.abs(Float32.exp2(x) / 2 ** x - 1)).toBeLessThan(1e-14)
    for (let x = 1e-44; x < 1e38; x *= 1.37) {
      const y = Float32.log2(x)
      expect(Math.abs(y - Math.log2(x))).toBeLessThan(1e-15 + 4e-16 * Math.abs(y))
    }
    expect(Math.fround(Float32.exp2(0.5))).toBe(Math.fround(Math.SQRT2))
  })
  it("log2 is exact for powers of two, and NaN or infinite where it should be", () => {
    for (const n of whole) expect(Float32.log2(power(n))).toBe(n)
    expect([0, -0, -1, minus, inf, nan].map(Float32.log2)).toEqual([minus, minus, nan, nan, inf, nan])
  })
  it("one step below 2^k the float32 logarithm is k for k >= 3 and k <= -2, and only there", () => {
    for (const k of whole.filter((n) => n > -126))
      expect(Math.fround(Float32.log2(below(power(k), 1))) === k).toBe(k >= 3 || k <= -2)
  })
  it("floorLog2 is the floor of the rounded logarithm, by the bits", () => {
    const agrees = (x: number) =>
      expect([x, Float32.floorLog2(x, pattern(x))]).toEqual([x, Math.floor(Math.fround(Float32.log2(x)))])
    for (const k of whole.filter((n) => n > -126 && n < 128))
      for (const steps of [-1, 0, 1, 2, 10, 43, 44, 45, 63, 64, 65, 1000, 2 ** 22]) agrees(below(power(k), steps))
  })
  it("floorLog2 of the largest float32 is 127, though its logarithm rounds to 128", () => {
    const largest = 2 ** 127 * (2 - 2 ** -23)
    expect(Math.fround(Float32.log2(largest))).toBe(128)
    expect(Float32.floorLog2(largest, pattern(largest))).toBe(127)
  })
  it("nearest: ties to even, zero keeps the sign of x", () => {
    const x = [-2.5, -1.5, -0.5, -0.2, -0, 0, 0.5, 0.49999997, 1.5, 2.5, 8388607.5, inf, minus, nan]
    const y = [-2, -2, -0, -0, -0, 0, 0, 0, 2, 2, 8388608, inf, minus, nan]
    for (const [i, value] of x.entries()) expect(Float32.nearest(value)).toBe(y[i])
  })
})
