/** Sha256.ts: the hashes that Node computes, for every length around the ends of blocks. */
import { createHash } from "node:crypto"
import { describe, expect, it } from "vitest"
import * as Sha256 from "../../src/exchange/Sha256.ts"
import * as Random from "../../src/tensor/Random.ts"

describe("SHA-256", () => {
  it("has the hash of the standard's example", () => {
    expect(Sha256.hex(new TextEncoder().encode("abc"))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
  })

  it("is what Node computes", () => {
    for (const length of [0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 121, 1000, 100_003]) {
      const bytes = Uint8Array.from(Random.uniform(Random.make(length), length, 0, 256))
      // a view into a larger buffer, too
      const view = new Uint8Array([7, ...bytes.subarray(0, 200), 7]).subarray(1, 1 + Math.min(length, 200))
      for (const one of [bytes, view]) expect(Sha256.hex(one)).toBe(createHash("sha256").update(one).digest("hex"))
    }
  })
})
