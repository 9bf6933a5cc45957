/**
 * Arbitraries: what they promise really occurs, they say the same each time, and what they find becomes small quickly.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Arbitrary from "../../laws/Arbitrary.ts"
import * as Sample from "../../laws/Sample.ts"
import * as Backend from "../../src/backend/Backend.ts"

const drawn = <A>(arbitrary: fc.Arbitrary<A>, count = 300): ReadonlyArray<A> =>
  fc.sample(arbitrary, { numRuns: count, seed: 1 })
const sizeOf = (shape: ReadonlyArray<number>): number => shape.reduce((a, b) => a * b, 1)

describe("Arbitrary", () => {
  const every = drawn(
    Arbitrary.tensor({ spreads: Arbitrary.everySpread, shape: { maxElements: 12, empty: true } }),
    2000
  )
  const elements = every.flatMap(({ values }) => [...values])
  const some = (holds: (x: number) => boolean): boolean => elements.some(holds)
  const samples = (holds: (values: ReadonlyArray<number>) => boolean): boolean =>
    every.some(({ values }) => values.length > 2 && holds([...values]))

  it.each([
    ["minus zero", () => some((x) => Object.is(x, -0))],
    ["subnormals", () => some((x) => x !== 0 && Math.abs(x) < 2 ** -126)],
    [
      "infinities of both signs",
      () => some((x) => x === Number.POSITIVE_INFINITY) && some((x) => x === Number.NEGATIVE_INFINITY)
    ],
    [
      "NaN of many payloads",
      () =>
        new Set(
          every.flatMap(({ values }) =>
            [...values.keys()].filter((i) => Number.isNaN(values[i])).map((i) => Sample.bitsOf(values, i))
          )
        ).size > 100
    ],
    ["ties", () => samples((xs) => xs.every((x) => Number.isInteger(16 * x)) && xs.some((x) => !Number.isInteger(x)))],
    [
      "outliers",
      () => samples((xs) => Math.max(...xs.map(Math.abs)) > 100 * (xs.map(Math.abs).sort((a, b) => b - a)[1] ?? 0))
    ],
    ["all equal", () => samples((xs) => xs.every((x) => x === xs[0] && x !== 0))],
    ["all positive", () => samples((xs) => xs.every((x) => x > 0 && x !== xs[0]) || xs.every((x) => x > 0))],
    ["all negative", () => samples((xs) => xs.every((x) => x < 0))],
    ["all zero", () => samples((xs) => xs.every((x) => x === 0))],
    ["one element", () => every.some(({ values }) => values.length === 1)],
    ["no element", () => every.some(({ values }) => values.length === 0)],
    ["no axis", () => every.some(({ shape }) => shape.length === 0)]
  ] as const)("has tensors with %s", (_, occurs) => expect(occurs()).toBe(true))

  it("has ordinary tensors without what is special, in shapes as they were asked for", () => {
    for (const { shape, values } of drawn(Arbitrary.tensor())) {
      expect(values.length).toBe(sizeOf(shape))
      expect(values.every((x) => Number.isFinite(x) && (x === 0 || Math.abs(x) >= 2 ** -126))).toBe(true)
    }
    for (const { shape } of drawn(Arbitrary.tensor({ shape: [3, 4] }))) expect(shape).toEqual([3, 4])
    const steps = drawn(Arbitrary.tensor({ spreads: ["ties"], step: 0.3 })).flatMap(({ values }) => [...values])
    expect(steps.every((x) => Math.abs(x / 0.15 - Math.round(x / 0.15)) < 1e-4)).toBe(true)
  })

  it("has shapes within their bounds", () => {
    const shapes = drawn(Arbitrary.shape({ minRank: 1, maxRank: 3, maxElements: 10, empty: true }))
    for (const one of shapes) {
      expect(one.length).toBeGreaterThanOrEqual(1)
      expect(one.length).toBeLessThanOrEqual(3)
      expect(sizeOf(one)).toBeLessThanOrEqual(10)
    }
    expect(shapes.some((one) => one.includes(0))).toBe(true)
    expect(new Set(shapes.map(String)).size).toBeGreaterThan(30)
  })

  it("has scales, widths and formats that can be", () => {
    for (const s of [
      ...drawn(Arbitrary.scale),
      ...drawn(Arbitrary.scales(3)).flat(),
      ...drawn(Arbitrary.powerOfTwo())
    ]) {
      expect(s > 0 && Number.isFinite(s)).toBe(true)
      expect(Math.fround(s)).toBe(s)
    }
    expect(drawn(Arbitrary.scale).some((s) => !Number.isInteger(Math.log2(s)))).toBe(true)
    expect(drawn(Arbitrary.powerOfTwo()).every((s) => Number.isInteger(Math.log2(s)))).toBe(true)
    expect(new Set(drawn(Arbitrary.bitWidth(2, 5)))).toEqual(new Set([2, 3, 4, 5]))
    for (const { bitWidth, narrowRange } of drawn(Arbitrary.integerFormat(1, 4)))
      expect(bitWidth > 1 || !narrowRange).toBe(true)
    for (const { exponentBitWidth: e, mantissaBitWidth: m, signed } of drawn(Arbitrary.minifloatFormat(6))) {
      expect(e + m + (signed ? 1 : 0)).toBeLessThanOrEqual(6)
      expect(e >= 1 && m >= 0).toBe(true)
    }
    expect(drawn(Arbitrary.float32).some(Number.isNaN)).toBe(true)
    expect(drawn(Arbitrary.injector).some((table) => Object.keys(table).length > 2)).toBe(true)
  })

  it("draws the same each time", () => {
    const texts = (): ReadonlyArray<string> =>
      drawn(Arbitrary.tensor({ spreads: Arbitrary.everySpread })).map(Sample.show)
    expect(texts()).toEqual(texts())
  })
})

/** What fast-check makes of a property that fails, and how many evaluations that takes. */
const shrunk = (arbitrary: fc.Arbitrary<Sample.Sample>, fails: (x: ReadonlyArray<number>) => boolean) => {
  const calls = { first: 0, all: 0 }
  const property = fc.property(arbitrary, ({ values }) => {
    calls.all++
    const failed = fails([...values])
    if (failed && calls.first === 0) calls.first = calls.all
    return !failed
  })
  const details = fc.check(property, { seed: 1, numRuns: 1000 })
  const [found] = details.counterexample ?? expect.fail("nothing was found")
  return { found, evaluations: calls.all - calls.first, details }
}

describe("Sample", () => {
  const large = Arbitrary.tensor({ shape: [64, 4] })
  const free = Arbitrary.tensor({ shape: { maxRank: 3, maxElements: 24 } })
  it.each([
    ["one element matters", (x: ReadonlyArray<number>) => x.some((v) => v > 2), 1],
    ["two matter", (x: ReadonlyArray<number>) => x.filter((v) => v < -1).length > 1, 2],
    ["all matter", (x: ReadonlyArray<number>) => x.length > 0 && x.every((v) => v > 0), undefined]
  ] as const)("becomes small quickly where %s", (_, fails, count) => {
    for (const arbitrary of [large, free]) {
      const { found, evaluations } = shrunk(arbitrary, fails)
      expect(evaluations).toBeLessThan(400)
      if (count !== undefined) expect(found.values.filter((v) => v !== 0).length).toBe(count)
      expect(fails([...found.values])).toBe(true)
    }
  })
  it("reads as one would write it", () => {
    expect(fc.stringify(shrunk(large, (x) => x.some((v) => v > 2)).found)).toMatch(
      /^float32\[64, 4\] 0 but \[\d+, \d\] = \d+$/
    )
    expect(fc.stringify(shrunk(free, (x) => x.some((v) => v > 2)).found)).toMatch(/^float32\[[\d, ]*\] \d+$/)
    const bits = Float32Array.of(1.5, -0, 0, Number.NEGATIVE_INFINITY, Number.NaN, 0)
    new Uint32Array(bits.buffer)[5] = 0x7fc00123
    expect(Sample.show(Sample.make([2, 3], bits))).toBe("float32[2, 3] 1.5, -0, 0, -Infinity, NaN, NaN(0x7fc00123)")
    expect(Sample.show(Sample.make([0, 3], new Float32Array(0)))).toBe("float32[0, 3]")
    expect(Sample.show(Sample.make([5, 5], new Float32Array(25)))).toBe("float32[5, 5] all 0")
    expect(Sample.show(Sample.make([20], new Float32Array(20).fill(1)))).toMatch(
      /^float32\[20\] 0 but \[0\] = 1, .* and 8 more$/
    )
  })
  it("is found again by its path", () => {
    const { details, found } = shrunk(large, (x) => x.some((v) => v > 2))
    const again = fc.check(
      fc.property(large, ({ values }) => !values.some((v) => v > 2)),
      { seed: details.seed, path: details.counterexamplePath as string }
    )
    expect(again.numShrinks).toBe(0)
    expect(again.counterexample?.[0].values).toEqual(found.values)
  })

  describe("as a tensor", () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.layer, { local: true }))))
    it("has its shape and its bits", () => {
      for (const one of drawn(Arbitrary.tensor({ spreads: ["special", "zeros", "subnormal"] }), 50))
        tf.tidy(() => {
          const x = Sample.toTensor(one)
          expect(x.shape).toEqual(one.shape)
          expect(x.dtype).toBe("float32")
          const back = x.dataSync() as Float32Array
          expect([...back.keys()].map((i) => Sample.bitsOf(back, i))).toEqual(
            [...one.values.keys()].map((i) => Sample.bitsOf(one.values, i))
          )
        })
    })
  })
})
