import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Order from "../../src/tensor/Order.ts"

describe("Order", () => {
  it("ascending is the order of a stable sort by comparison", () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.double({ min: 1e-300, max: 1e300, noNaN: true }),
            fc.double({ min: 1e-300, max: 2e-300, noNaN: true }),
            fc.double({ min: 1, max: 1 + 1e-12, noNaN: true }),
            fc.constantFrom(1, 2)
          )
        ),
        (keys) => {
          const sorted = keys.map((key, i) => ({ key, i })).sort((p, q) => p.key - q.key || p.i - q.i)
          expect([...Order.ascending(Float64Array.from(keys))]).toEqual(sorted.map(({ i }) => i))
        }
      )
    ))
  it("tells keys apart that lie closer than the smallest normal number", () =>
    expect([...Order.ascending(Float64Array.from([2e-300, 1e-300, 3e-310]))]).toEqual([2, 1, 0]))
  it("orders keys that are too close, or too many, to be told apart when packed", () => {
    const keys = Float64Array.from({ length: 5000 }, (_, i) => 1 + ((i * 7919) % 5000) * Number.EPSILON)
    keys[17] = 1e9
    const order = Order.ascending(keys)
    for (let i = 1; i < order.length; i++)
      expect(keys[order[i] as number]).toBeGreaterThanOrEqual(keys[order[i - 1] as number] as number)
  })
})
