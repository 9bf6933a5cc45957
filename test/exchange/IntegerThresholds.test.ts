/** IntegerThresholds.ts: comparisons do to every integer what the functions and the rounding that they come from do. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as GraphConstants from "../../src/exchange/GraphConstants.ts"
import type { Stage } from "../../src/exchange/IntegerProgram.ts"
import * as Thresholds from "../../src/exchange/IntegerThresholds.ts"

const rounds = { nearest: GraphConstants.roundEven, floor: Math.floor, ceil: Math.ceil, toZero: Math.trunc } as const

const number = fc.double({ min: -4, max: 4, noNaN: true })

const stage: fc.Arbitrary<Stage> = fc.oneof(
  fc.record({
    op: fc.constant("affine" as const),
    factor: fc.array(number, { minLength: 3, maxLength: 3 }).map((all) => Float64Array.from(all)),
    offset: fc.array(number, { minLength: 3, maxLength: 3 }).map((all) => Float64Array.from(all))
  }),
  fc.record({
    op: fc.constant("clip" as const),
    low: fc.double({ min: -3, max: 0, noNaN: true }),
    high: fc.constant(2)
  }),
  fc.record({ op: fc.constantFrom("relu" as const, "sigmoid" as const, "tanh" as const) })
)

const cases = fc.record({
  stages: fc.array(stage, { minLength: 1, maxLength: 4 }),
  rounding: fc.constantFrom(...(["nearest", "floor", "ceil", "toZero"] as const)),
  low: fc.integer({ min: -8, max: 0 }),
  high: fc.integer({ min: 1, max: 7 }),
  least: fc.integer({ min: -60, max: 0 }),
  most: fc.integer({ min: 0, max: 60 }),
  sign: fc.boolean()
})

describe("thresholds", () => {
  it("are what functions that never turn, and a rounding, do to every integer", () => {
    fc.assert(
      fc.property(cases, ({ stages, rounding, low, high, least, most, sign }) => {
        const [step, base] = sign ? [2, 1] : [1, 0]
        const made = Thresholds.make({ stages, rounding, low, high, step, base }, { low: least, high: most })
        if (made === undefined) return expect.fail("not finite")
        const channels = made.signs.length
        const count = most - least + 1
        const data = Int32Array.from({ length: count * channels }, (_, i) => least + Math.floor(i / channels))
        const wanted = Array.from(data, (q, i) => {
          const u = rounds[rounding](Thresholds.movedBy(made, q, i % channels))
          return step * Math.min(Math.max(u, low), high) + base + 0
        })
        const y = Thresholds.compared({ shape: [count, channels], data }, made)
        expect([...y.data]).toEqual(wanted)
      }),
      { numRuns: 300 }
    )
  })

  it("are refused where a number is none", () => {
    const stages = [
      { op: "affine", factor: Float64Array.of(Number.NaN), offset: Float64Array.of(0) }
    ] satisfies ReadonlyArray<Stage>
    const levels = { stages, rounding: "nearest", low: 0, high: 3, step: 1, base: 0 } as const
    expect(Thresholds.make(levels, { low: -5, high: 5 })).toBe(undefined)
  })

  it("join to one factor and offset for each channel where all stages are affine", () => {
    const stages = [
      { op: "affine", factor: Float64Array.of(2), offset: Float64Array.of(-1) },
      { op: "affine", factor: Float64Array.of(1, -3), offset: Float64Array.of(0, 4) }
    ] satisfies ReadonlyArray<Stage>
    expect(Thresholds.joined(stages)).toEqual({
      op: "affine",
      factor: Float64Array.of(2, -6),
      offset: Float64Array.of(-1, 7)
    })
    expect(Thresholds.joined([...stages, { op: "relu" }])).toBe(undefined)
  })
})
