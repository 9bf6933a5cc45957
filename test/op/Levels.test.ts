import { describe, expect, it } from "vitest"
import * as Levels from "../../src/op/Levels.ts"

const e2m1 = { exponentBitWidth: 2, mantissaBitWidth: 1, exponentBias: 1 }

describe("Levels", () => {
  it("integers of signed, unsigned and narrow ranges", () => {
    const of = (bitWidth: number, signed: boolean, narrowRange: boolean) =>
      Levels.rangeOf(bitWidth, { signed, narrowRange })
    expect(of(8, true, false)).toEqual({ low: -128, high: 127 })
    expect(of(8, true, true)).toEqual({ low: -127, high: 127 })
    expect(of(4, false, false)).toEqual({ low: 0, high: 15 })
    expect(of(4, false, true)).toEqual({ low: 0, high: 14 })
    expect([...Levels.integers(of(2, true, false), -1).values]).toEqual([-1, 0, 1, 2])
  })
  it("minifloats with subnormals, up to the largest one that is available", () => {
    expect([...Levels.minifloats(e2m1, { signed: false }).values]).toEqual([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    expect([...Levels.minifloats(e2m1, { signed: true, max: 3 }).values]).toEqual([
      -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3
    ])
    const e4m3 = { exponentBitWidth: 4, mantissaBitWidth: 3, exponentBias: 7 }
    const { values } = Levels.minifloats(e4m3, { signed: true, max: 448 })
    expect([values.length, values.at(-1), values[0]]).toEqual([253, 448, -448])
  })
  it.each([
    ["integers", Levels.integers({ low: -3, high: 4 })],
    ["integers around a fraction", Levels.integers({ low: 0, high: 7 }, 2.3)],
    ["minifloats", Levels.minifloats(e2m1, { signed: true })]
  ])("nearest of %s", (_, levels) => {
    for (let v = -9; v <= 9; v += 1 / 64) {
      const least = Math.min(...levels.values.map((level) => Math.abs(v - level)))
      expect(Math.abs(v - (levels.values[Levels.nearest(levels, v)] as number))).toBeCloseTo(least, 12)
      expect(Levels.nearest(levels, v, 2, 4)).toBe(Math.max(2, Math.min(4, Levels.nearest(levels, v))))
    }
  })
})
