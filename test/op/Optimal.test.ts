import { describe, expect, it } from "vitest"
import * as Levels from "../../src/op/Levels.ts"
import * as Optimal from "../../src/op/Optimal.ts"

const range = (bitWidth: number, signed: boolean, narrowRange: boolean) =>
  Levels.rangeOf(bitWidth, { signed, narrowRange })

describe("Optimal", () => {
  const narrow = Levels.integers(range(4, true, true))

  it("is exact where the tensor is", () => {
    expect(Optimal.scale(Float32Array.of(0.5, -3.5, 1.5), narrow)).toEqual({ scale: 0.5, zeroPoint: 0, error: 0 })
    expect(Optimal.scale(Float32Array.of(3), narrow).error).toBe(0)
    const shifted = Optimal.scaleAndZeroPoint(Float32Array.of(-1, 0.5, 2.75), range(4, false, false))
    expect(shifted).toEqual({ scale: 0.25, zeroPoint: 4, error: 0 })
  })
  it("answers 0 where only 0 is as good, NaN where something is not finite", () => {
    const unsigned = Levels.integers(range(4, false, false))
    expect(Optimal.scale(Float32Array.of(-1, -2), unsigned)).toEqual({ scale: 0, zeroPoint: 0, error: 5 })
    expect(Optimal.scale(new Float32Array(0), narrow).scale).toBe(0)
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(Optimal.scale(Float32Array.of(1, wrong), narrow).scale).toBe(Number.NaN)
      expect(Optimal.scaleAndZeroPoint(Float32Array.of(1, wrong), range(4, false, false)).scale).toBe(Number.NaN)
      expect(Optimal.zeroPoint(Float32Array.of(1, wrong), 1, range(4, false, false))).toBe(Number.NaN)
    }
  })
  it("keeps to a least scale", () => {
    const x = Float32Array.of(0.1, -0.7, 0.33, 0.24)
    const free = Optimal.scale(x, narrow)
    expect(Optimal.scale(x, narrow, free.scale * 0.9)).toEqual(free)
    const held = Optimal.scale(x, narrow, 0.3)
    expect(held.scale).toBeGreaterThanOrEqual(0.3)
    for (let s = 0.3; s < 1.5; s += 0.001)
      expect(held.error).toBeLessThanOrEqual(
        x.reduce((sum, v) => sum + (v - s * Math.max(-7, Math.min(7, Math.round(v / s)))) ** 2, 0) + 1e-12
      )
  })
  it("finds the zero-point that belongs to a scale", () => {
    const x = Float32Array.from({ length: 40 }, (_, i) => Math.sin(i * i) + 0.4)
    const found = Optimal.scaleAndZeroPoint(x, range(4, false, false))
    expect(Optimal.zeroPoint(x, found.scale, range(4, false, false))).toBe(found.zeroPoint)
    expect(Optimal.zeroPoint(x, 0, range(4, false, false))).toBe(0)
  })
  it("copes with many equal elements, with tiny and with huge ones", () => {
    const equal = new Float32Array(5000).fill(0.7)
    equal[0] = 1
    expect(Optimal.scale(equal, narrow).error).toBeLessThan(1e-3)
    for (const size of [1e-40, 1e38]) {
      const { scale, error } = Optimal.scale(Float32Array.of(size, -size / 2), narrow)
      expect(error).toBeLessThan(1e-9 * size * size)
      expect(scale / size).toBeGreaterThan(0)
    }
    const both = Float32Array.of(1e-40, 1e30, 1, -3)
    expect(Optimal.scale(both, narrow).error).toBeLessThan(11)
  })
})
