import { Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as StateJson from "../../src/exchange/StateJson.ts"
import { MalformedFile } from "../../src/tensor/Errors.ts"
import type * as Stored from "../../src/tensor/Stored.ts"
import * as Tensors from "./Tensors.ts"

const decoded = (text: string): Stored.Archive => Result.getOrThrow(StateJson.decode(text))
const refused = (text: string): string => {
  const result = StateJson.decode(text, "x.json")
  if (Result.isSuccess(result)) throw new Error("was read")
  expect(result.failure).toBeInstanceOf(MalformedFile)
  return result.failure.reason
}
const floats = (...values: ReadonlyArray<number>): Stored.Stored => ({
  dtype: "F32",
  shape: [values.length],
  data: new Uint8Array(Float32Array.from(values).buffer)
})
const written = (stored: Stored.Stored): string => /"data": \[(.*?)\]/s.exec(StateJson.encode({ x: stored }))?.[1] ?? ""

describe("StateJson", () => {
  it("decode . encode = id: bytes of every type, shapes, names and texts", () => {
    fc.assert(
      fc.property(Tensors.tensors, Tensors.metadata, (tensors, metadata) => {
        expect(decoded(StateJson.encode(tensors, metadata))).toEqual({ tensors, metadata })
      })
    )
  })

  it("is JSON that other readers understand, a line for each row", () => {
    const stored: Stored.Stored = { ...floats(1, 0.5, -2, 1e-7), shape: [2, 2] }
    const text = StateJson.encode({ "conv.weight": stored }, { step: "12" })
    expect(JSON.parse(text)).toEqual({
      format: "breve-state-1",
      metadata: { step: "12" },
      tensors: {
        "conv.weight": {
          dtype: "F32",
          shape: [2, 2],
          data: [1, 0.5, -2, 1e-7]
        }
      }
    })
    expect(text).toContain("[\n      1, 0.5,\n      -2, 1e-7\n    ]")
  })

  it("writes the shortest decimals, names what is no number, and keeps -0", () => {
    expect(written(floats(0.1, 1 / 3, 16777216, -0, 1.401298464324817e-45, 3.4028234663852886e38))).toBe(
      "0.1, 0.33333334, 16777216, -0, 1e-45, 3.4028235e+38"
    )
    expect(written(Tensors.specials)).toBe(
      '"NaN", "NaN:ffc00001", "NaN:7f800001", "Infinity", "-Infinity", -0, 1e-45, -1.1754942e-38, 3.4028235e+38, 0.1'
    )
  })

  it("no shorter decimal gives the same float32", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (x) => {
        const text = written(floats(x))
        const digits = text.replace(/e.*$/, "").replace(/[-.]/g, "").replace(/^0+/, "").replace(/0+$/, "").length
        expect(Math.fround(Number(text))).toBe(Math.fround(x))
        if (digits > 1) expect(Math.fround(Number(x.toPrecision(digits - 1)))).not.toBe(Math.fround(x))
      })
    )
  })

  it("writes 64-bit integers beyond 2^53 as texts", () => {
    const data = new Uint8Array(BigInt64Array.of(2n ** 53n - 1n, -(2n ** 63n)).buffer)
    const stored: Stored.Stored = { dtype: "I64", shape: [2], data }
    expect(written(stored)).toBe('9007199254740991, "-9223372036854775808"')
  })

  const state = (tensor: string): string => `{"format":"breve-state-1","metadata":{},"tensors":{"a":${tensor}}}`
  const tensor = (dtype: string, data: string, shape = "[1]"): string =>
    state(`{"dtype":"${dtype}","shape":${shape},"data":${data}}`)

  it.each([
    ["", "is not JSON"],
    ["[]", "is not an object"],
    ["{}", '"format" is nothing, not "breve-state-1"'],
    ['{"format":"breve-state-2"}', '"format" is "breve-state-2"'],
    ['{"format":"breve-state-1"}', "has no tensors by name"],
    ['{"format":"breve-state-1","tensors":{},"more":1}', 'unknown attribute "more"'],
    ['{"format":"breve-state-1","tensors":{},"metadata":{"a":1}}', "else than texts"],
    [state("1"), "not described by an object"],
    [state('{"dtype":"F32","shape":[1],"data":[1],"x":1}'), 'unknown attribute "x"'],
    [state('{"dtype":"F32","shape":[1],"data":[1],"data":[2]}'), 'the name "data" twice'],
    [tensor("F33", "[1]"), 'of the type "F33"; known are'],
    [tensor("F32", "[1]", "[-1]"), "of the shape [-1]"],
    [tensor("F32", "[1]", "[4503599627370496, 4]"), "of the shape [4503599627370496,4]"],
    [tensor("F32", "[1]", "[2]"), "with 1 elements, but the shape [2] has 2"],
    [tensor("F32", "{}"), "without a list of data"],
    [tensor("F32", "[1e39]"), "whose element 0 is 1e+39, which F32 does not have"],
    [tensor("F32", '["nan"]'), 'is "nan"'],
    [tensor("F32", '["NaN:3f800000"]'), 'is "NaN:3f800000"'],
    [tensor("F32", '["NaN:7fc0"]'), 'is "NaN:7fc0"'],
    [tensor("F32", "[null]"), "is null"],
    [tensor("F32", "[true]"), "is true"],
    [tensor("I8", "[128]"), "is 128, which I8 does not have"],
    [tensor("I8", "[-0]"), "which I8 does not have"],
    [tensor("I32", "[0.5]"), "is 0.5"],
    [tensor("I32", '["Infinity"]'), 'is "Infinity"'],
    [tensor("U64", "[-1]"), "is -1"],
    [tensor("I64", '["9223372036854775808"]'), "which I64 does not have"],
    [tensor("I64", "[9007199254740993]"), "which I64 does not have"],
    [tensor("F16", "[0.1]"), "is 0.1, which F16 does not have"],
    [tensor("BF16", "[1.001]"), "is 1.001"],
    [tensor("BOOL", "[256]"), "is 256"]
  ])("refuses %s", (text, reason) => {
    expect(refused(text)).toContain(reason)
  })

  it("refuses a text that is cut short anywhere", () => {
    const text = StateJson.encode({ specials: Tensors.specials }, { note: "x" }).trimEnd()
    for (let length = 0; length < text.length; length++) expect(refused(text.slice(0, length))).not.toBe("")
  })

  it("gives a typed failure or whole tensors for any mutated text", () => {
    const seen = { read: 0, refused: 0 }
    fc.assert(
      fc.property(Tensors.tensors, fc.nat(), fc.nat(3), fc.string({ maxLength: 2 }), (tensors, at, remove, insert) => {
        const text = StateJson.encode(tensors)
        const start = at % text.length
        const result = StateJson.decode(text.slice(0, start) + insert + text.slice(start + remove))
        if (Result.isFailure(result)) {
          seen.refused++
          expect(result.failure).toBeInstanceOf(MalformedFile)
          return
        }
        seen.read++
        expect(decoded(StateJson.encode(result.success.tensors)).tensors).toEqual(result.success.tensors)
      }),
      { numRuns: 2000, seed: 3 }
    )
    expect(Math.min(seen.read, seen.refused)).toBeGreaterThan(50)
  })
})
