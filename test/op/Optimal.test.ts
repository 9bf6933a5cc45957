import { assert, describe, expect, it } from "vitest"
import * as Law from "../../laws/Law.ts"
import * as OptimalScaleLaws from "../../laws/OptimalScaleLaws.ts"
import * as Levels from "../../src/op/Levels.ts"
import * as Optimal from "../../src/op/Optimal.ts"

type ScaleSearch = OptimalScaleLaws.ScaleSearch

const one = (levels: Levels.Levels): ScaleSearch => ({
  levels: [[...levels.values]],
  find: (x) => ({ scale: Optimal.scale(x, levels).scale, set: 0 })
})
const joint = (range: Levels.Range): ScaleSearch => ({
  levels: Array.from({ length: range.high - range.low + 1 }, (_, i) => [
    ...Levels.integers(range, range.low + i).values
  ]),
  find: (x) => {
    const { scale, zeroPoint } = Optimal.scaleAndZeroPoint(x, range)
    return { scale, set: zeroPoint - range.low }
  }
})

const range = (bitWidth: number, signed: boolean, narrowRange: boolean) =>
  Levels.rangeOf(bitWidth, { signed, narrowRange })
const e2m1 = { exponentBitWidth: 2, mantissaBitWidth: 1, exponentBias: 1 }
const e4m3 = { exponentBitWidth: 4, mantissaBitWidth: 3, exponentBias: 7 }

const subjects: ReadonlyArray<readonly [name: string, subject: ScaleSearch, numRuns: number]> = [
  ["2 bits", one(Levels.integers(range(2, true, true))), 150],
  ["4 bits narrow", one(Levels.integers(range(4, true, true))), 150],
  ["4 bits full", one(Levels.integers(range(4, true, false))), 150],
  ["4 bits unsigned", one(Levels.integers(range(4, false, false))), 150],
  ["3 bits unsigned narrow", one(Levels.integers(range(3, false, true))), 150],
  ["8 bits", one(Levels.integers(range(8, true, true))), 20],
  ["zero-point 5", one(Levels.integers(range(4, false, false), 5)), 150],
  ["zero-point 2.3", one(Levels.integers(range(3, false, false), 2.3)), 150],
  ["two levels around 0", one(Levels.integers({ low: 0, high: 1 }, 0.5)), 150],
  ["no level below 0", one(Levels.integers({ low: 3, high: 6 })), 150],
  ["e2m1", one(Levels.minifloats(e2m1, { signed: true })), 150],
  ["e4m3 up to 448", one(Levels.minifloats(e4m3, { signed: true, max: 448 })), 20],
  ["e2m1 unsigned", one(Levels.minifloats(e2m1, { signed: false })), 150],
  ["2 bits and a zero-point", joint(range(2, false, false)), 150],
  ["3 bits and a zero-point", joint(range(3, false, false)), 50],
  ["4 bits signed and a zero-point", joint(range(4, true, false)), 15]
]

const absMax: ScaleSearch["find"] = (x) => ({ scale: x.reduce((max, v) => Math.max(max, Math.abs(v)), 0) / 7, set: 0 })
const { levels } = one(Levels.integers(range(4, true, true)))

describe.each(subjects)("Optimal for %s", (_, subject, numRuns) => {
  for (const [title, run] of Law.cases(OptimalScaleLaws.all, subject, { numRuns })) it(`keeps: ${title}`, run)
})

describe("OptimalScaleLaws", () => {
  const broken: ReadonlyArray<readonly [Law.Law<ScaleSearch>, string, ScaleSearch["find"]]> = [
    [OptimalScaleLaws.optimal, "nothing is cut off", absMax],
    [
      OptimalScaleLaws.optimal,
      "a grid of candidates",
      (x) => {
        const { scale } = absMax(x)
        const errorOf = (s: number): number =>
          x.reduce((sum, v) => sum + (v - s * Math.max(-7, Math.min(7, Math.round(v / s || 0)))) ** 2, 0)
        const candidates = Array.from({ length: 20 }, (_, i) => (scale * (i + 1)) / 20)
        return { scale: candidates.reduce((p, q) => (errorOf(q) < errorOf(p) ? q : p)), set: 0 }
      }
    ],
    [OptimalScaleLaws.homogeneous, "no scale below 1/10", (x) => ({ scale: Math.max(0.1, absMax(x).scale), set: 0 })],
    [OptimalScaleLaws.zero, "a minimum", () => ({ scale: 1e-10, set: 0 })]
  ]
  for (const [law, how, find] of broken)
    it(`would notice: ${law.name} (${how})`, () => assert.throws(() => law.check({ levels, find }, { numRuns: 300 })))
  it("has a broken search for each law", () => {
    expect(new Set(broken.map(([law]) => law))).toEqual(new Set(OptimalScaleLaws.all))
  })
})

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
