import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Random from "../../src/tensor/Random.ts"
import * as Select from "../../src/tensor/Select.ts"

/** `n` numbers of `distinct` different ones, in an order drawn from the seed. */
const drawn = (n: number, distinct: number, seed: number): Float32Array =>
  Float32Array.from(Random.permutation(Random.make(seed), n), (i) => (i % distinct) - distinct / 2)

const selects = (values: Float32Array, k: number): void => {
  expect(Select.smallest(Float32Array.from(values), k)).toBe(Float32Array.from(values).sort()[k - 1])
}

describe("Select", () => {
  it("answers what sorting answers, with ties and without", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3000 }),
        fc.integer({ min: 1, max: 3000 }),
        fc.nat(1e6),
        (n, distinct, seed) => selects(drawn(n, distinct, seed), 1 + (seed % n))
      ),
      { numRuns: 300 }
    ))
  it("does so for what is sorted, turned around, constant or infinite", () => {
    const up = Float32Array.from({ length: 5000 }, (_, i) => i)
    for (const k of [1, 2, 17, 2500, 4999, 5000])
      for (const values of [up, Float32Array.from(up).reverse(), new Float32Array(5000).fill(3), up.map((x) => 1 / x)])
        selects(values, k)
  })
  it("only reorders", () => {
    const values = drawn(2000, 50, 3)
    const before = Float32Array.from(values).sort()
    Select.smallest(values, 700)
    expect(values.sort()).toEqual(before)
  })
})
