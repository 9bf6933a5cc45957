import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result } from "effect"
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Safetensors from "../../src/exchange/Safetensors.ts"
import { MalformedFile } from "../../src/tensor/Errors.ts"
import * as Stored from "../../src/tensor/Stored.ts"
import * as Tensors from "./Tensors.ts"

const decoded = (bytes: Uint8Array): Stored.Archive => Result.getOrThrow(Safetensors.decode(bytes))
const refused = (bytes: Uint8Array): string => {
  const result = Safetensors.decode(bytes, "x.safetensors")
  if (Result.isSuccess(result)) throw new Error("was read")
  expect(result.failure).toBeInstanceOf(MalformedFile)
  expect(result.failure.file).toBe("x.safetensors")
  return result.failure.reason
}
/** A file with this header and these values, whatever they say of each other. */
const file = (header: string, values = 0, length = new TextEncoder().encode(header).length): Uint8Array => {
  const text = new TextEncoder().encode(header)
  const bytes = new Uint8Array(8 + text.length + values)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true)
  bytes.set(text, 8)
  return bytes
}
const entry = (dtype: string, shape: ReadonlyArray<unknown>, offsets: ReadonlyArray<unknown>): string =>
  JSON.stringify({ dtype, shape, data_offsets: offsets })
const headerOf = (bytes: Uint8Array): string => {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true))
  return new TextDecoder().decode(bytes.subarray(8, 8 + length))
}

describe("Safetensors.encode", () => {
  it("decode . encode = id: bytes, types, shapes and texts", () => {
    fc.assert(
      fc.property(Tensors.tensors, Tensors.metadata, (tensors, metadata) => {
        expect(decoded(Safetensors.encode(tensors, metadata))).toEqual({ tensors, metadata })
      })
    )
  })

  it("keeps every special number to the bit, scalars and what is empty", () => {
    const tensors: Stored.Tensors = {
      specials: Tensors.specials,
      scalar: { dtype: "I8", shape: [], data: Uint8Array.of(0x80) },
      empty: { dtype: "F64", shape: [3, 0, 2], data: new Uint8Array(0) }
    }
    expect(decoded(Safetensors.encode(tensors)).tensors).toEqual(tensors)
  })

  it("writes the same bytes whatever the order, wide elements first, each tensor aligned", () => {
    fc.assert(
      fc.property(Tensors.tensors, (tensors) => {
        const bytes = Safetensors.encode(tensors)
        const reversed = Object.fromEntries(Object.entries(tensors).reverse())
        expect(Safetensors.encode(reversed)).toEqual(bytes)
        const header: Record<string, { dtype: Stored.Dtype; data_offsets: [number, number] }> = JSON.parse(
          headerOf(bytes)
        )
        const start = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true))
        const filled = Object.values(header).filter(({ data_offsets: [begin, end] }) => end > begin)
        const widths = filled
          .toSorted((a, b) => a.data_offsets[0] - b.data_offsets[0])
          .map(({ dtype }) => Stored.byteSizes[dtype])
        expect(widths).toEqual(widths.toSorted((a, b) => b - a))
        for (const { dtype, data_offsets } of Object.values(header))
          expect((start + data_offsets[0]) % Stored.byteSizes[dtype]).toBe(0)
      })
    )
  })

  it("keeps the order in the header, also of names that are numbers", () => {
    const of = (dtype: Stored.Dtype): Stored.Stored => ({
      dtype,
      shape: [],
      data: new Uint8Array(Stored.byteSizes[dtype])
    })
    const bytes = Safetensors.encode({ "0": of("U8"), "10": of("F32"), a: of("F32"), "9": of("F64") })
    expect([...headerOf(bytes).matchAll(/"([^"]*)":\{/g)].map(([, name]) => name)).toEqual(["9", "10", "a", "0"])
  })

  it("is what the format's description says, byte for byte", () => {
    const data = new Uint8Array(Float32Array.of(1, -2).buffer)
    const bytes = Safetensors.encode({ a: { dtype: "F32", shape: [2, 1], data } }, { note: "ü" })
    const header = '{"__metadata__":{"note":"ü"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}'
    const length = Math.ceil(new TextEncoder().encode(header).length / 8) * 8
    expect(headerOf(bytes).trimEnd()).toBe(header)
    expect(bytes.length).toBe(8 + length + 8)
    expect(bytes.slice(-8)).toEqual(data)
  })

  it("refuses a tensor whose bytes do not fit, and the name that the format keeps for texts", async () => {
    const short: Stored.Stored = { dtype: "F32", shape: [2], data: new Uint8Array(7) }
    expect(() => Safetensors.encode({ short })).toThrow('option "short" has 7 bytes, which is not what F32 [2] takes')
    const error = await Effect.runPromise(
      Effect.flip(Safetensors.write({ __metadata__: { dtype: "U8", shape: [], data: new Uint8Array(1) } }))
    )
    expect(error).toMatchObject({ _tag: "InvalidOptions", option: "__metadata__" })
  })
})

describe("Safetensors.decode refuses", () => {
  it.each([
    ["an empty file", new Uint8Array(0), "cut short: it has 0 bytes"],
    ["seven bytes", new Uint8Array(7), "cut short: it has 7 bytes"],
    ["a header of 2^63 bytes", file("{}", 0, 2 ** 63), "a header of 9223372036854775808 bytes is longer"],
    ["a header of 100 MB and a byte", file("{}", 0, 100_000_001), "is longer than 100000000"],
    ["a header that ends after the file", file("{}", 0, 99), "its header alone ends at 107"],
    ["an empty header", file("{}", 0, 0), "does not begin with {"],
    ["a header of one byte", file("{}", 0, 1), "does not begin with {"],
    ["a header that begins with a space", file(" {}"), "does not begin with {"],
    ["a list", file("[]"), "does not begin with {"],
    ["what is not JSON", file('{"a":}'), "is not JSON"],
    ["what is not UTF-8", file("{}\u00ff").map((b) => (b === 0xc3 ? 0xff : b)), "not UTF-8"],
    [
      "a name that stands twice",
      file(`{"a":${entry("U8", [0], [0, 0])},"\\u0061":${entry("U8", [0], [0, 0])}}`),
      '"a" twice'
    ],
    [
      "an attribute that stands twice",
      file('{"a":{"dtype":"U8","dtype":"I8","shape":[0],"data_offsets":[0,0]}}'),
      '"dtype" twice'
    ],
    ["a text that is none", file('{"__metadata__":{"a":1}}'), "else than texts by name"],
    ["texts that are a list", file('{"__metadata__":[]}'), "else than texts by name"],
    ["an entry that is none", file('{"a":[1]}'), 'a tensor "a" that is not described by an object'],
    ["no dtype", file('{"a":{"shape":[],"data_offsets":[0,0]}}'), 'a tensor "a" without a dtype'],
    [
      "an unknown dtype",
      file(`{"a":${entry("F8_E4M3", [1], [0, 1])}}`, 1),
      "the type F8_E4M3, which is not read; known"
    ],
    ["a dtype of Object", file(`{"a":${entry("constructor", [1], [0, 1])}}`, 1), "the type constructor"],
    ["an unknown attribute", file('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"more":1}}'), '"more"'],
    ["a negative size", file(`{"a":${entry("U8", [-1], [0, 1])}}`, 1), "the shape [-1]"],
    ["a fraction of a size", file(`{"a":${entry("U8", [0.5], [0, 1])}}`, 1), "the shape [0.5]"],
    ["a size that is a text", file(`{"a":${entry("U8", ["1"], [0, 1])}}`, 1), 'the shape ["1"]'],
    ["sizes whose product overflows", file(`{"a":${entry("U8", [2 ** 40, 2 ** 40], [0, 1])}}`, 1), "the shape [1099"],
    ["sizes beyond the file", file(`{"a":${entry("F64", [2 ** 50], [0, 8])}}`, 8), "takes 9007199254740992"],
    ["one offset", file(`{"a":${entry("U8", [1], [0])}}`, 1), "the offsets [0]"],
    ["offsets backwards", file(`{"a":${entry("U8", [1], [1, 0])}}`, 1), "the offsets [1,0]"],
    ["negative offsets", file(`{"a":${entry("U8", [1], [-1, 0])}}`, 1), "the offsets [-1,0]"],
    ["offsets of another size", file(`{"a":${entry("F32", [2], [0, 4])}}`, 4), "of 4 bytes, but F32 [2] takes 8"],
    [
      "values that are cut short",
      file(`{"a":${entry("F32", [2], [0, 8])}}`, 7),
      "its tensors take 8 bytes, there are 7"
    ],
    ["values after the last tensor", file(`{"a":${entry("U8", [2], [0, 2])}}`, 3), "1 bytes after its last tensor"],
    [
      "a hole before the first",
      file(`{"a":${entry("U8", [1], [1, 2])}}`, 2),
      'a hole of 1 bytes before the tensor "a"'
    ],
    [
      "a hole between",
      file(`{"a":${entry("U8", [1], [0, 1])},"b":${entry("U8", [1], [2, 3])}}`, 3),
      "a hole of 1 bytes"
    ],
    ["an overlap", file(`{"a":${entry("U8", [2], [0, 2])},"b":${entry("U8", [2], [1, 3])}}`, 3), '"b" that overlaps'],
    [
      "two tensors at one place",
      file(`{"a":${entry("U8", [2], [0, 2])},"b":${entry("U8", [2], [0, 2])}}`, 2),
      '"b" that overlaps'
    ],
    ["a zip archive of PyTorch", Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 8, 8, 0, 0), "pickled PyTorch file"],
    ["a pickle", Uint8Array.of(0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20), "save_file(torch.load("]
  ])("%s", (_, bytes, reason) => {
    expect(refused(bytes)).toContain(reason)
  })

  it("nothing else than a file, at whatever byte it is cut", () => {
    const whole = Safetensors.encode({ specials: Tensors.specials }, { note: "x" })
    for (let length = 0; length < whole.length; length++) expect(refused(whole.slice(0, length))).not.toBe("")
  })
})

describe("Safetensors.decode reads what others write", () => {
  it("entries in any order, empty tensors anywhere, a header without padding", () => {
    const [a, b, none] = [entry("U8", [1], [2, 3]), entry("I16", [1], [0, 2]), entry("F32", [0], [2, 2])]
    const bytes = file(`{"a":${a},"none":${none},"b":${b},"__metadata__":{"format":"pt"}}`, 3)
    bytes.set([1, 2, 3], bytes.length - 3)
    expect(decoded(bytes)).toEqual({
      tensors: {
        a: { dtype: "U8", shape: [1], data: Uint8Array.of(3) },
        none: { dtype: "F32", shape: [0], data: new Uint8Array(0) },
        b: { dtype: "I16", shape: [1], data: Uint8Array.of(1, 2) }
      },
      metadata: { format: "pt" }
    })
    expect(decoded(file("{}"))).toEqual({ tensors: {}, metadata: {} })
  })

  it("from an array that begins inside of another, into bytes of its own", () => {
    const whole = Safetensors.encode({ specials: Tensors.specials })
    const larger = new Uint8Array(whole.length + 3)
    larger.set(whole, 3)
    const { tensors } = decoded(larger.subarray(3))
    larger.fill(0)
    expect(tensors.specials).toEqual(Tensors.specials)
  })
})

describe("Safetensors.decode of mutated files", () => {
  const base = fc
    .tuple(Tensors.tensors, Tensors.metadata)
    .map(([tensors, metadata]) => Safetensors.encode(tensors, metadata))
  const at = fc.nat()
  type Mutation = (bytes: Uint8Array) => Uint8Array
  const spliced = (bytes: Uint8Array, start: number, remove: number, insert: ReadonlyArray<number>): Uint8Array => {
    const all = Array.from(bytes)
    all.splice(start % (bytes.length + 1), remove, ...insert)
    return Uint8Array.from(all)
  }
  const byteChanged = fc.tuple(at, fc.nat(255)).map<Mutation>(
    ([i, b]) =>
      (bytes) =>
        spliced(bytes, i, 1, [b])
  )
  const bytesGone = fc.tuple(at, fc.nat(9)).map<Mutation>(
    ([i, n]) =>
      (bytes) =>
        spliced(bytes, i, n, [])
  )
  const bytesMore = fc.tuple(at, fc.array(fc.nat(255), { maxLength: 9 })).map<Mutation>(
    ([i, more]) =>
      (bytes) =>
        spliced(bytes, i, 0, more)
  )
  /** A token of the header replaced by another, with the header's length put right again. */
  const tokenChanged = fc
    .tuple(
      at,
      fc.constantFrom(
        "0",
        "1",
        "-1",
        "4",
        "8",
        "1e3",
        "9007199254740993",
        "[]",
        "{}",
        "null",
        '"F32"',
        '"BOOL"',
        '"a"',
        ",",
        ""
      )
    )
    .map<Mutation>(([i, other]) => (bytes) => {
      if (bytes.length < 8) return bytes
      const length = Number(new DataView(bytes.buffer).getBigUint64(0, true))
      if (length > bytes.length - 8) return bytes
      const tokens = new TextDecoder().decode(bytes.subarray(8, 8 + length)).match(/"[^"]*"|\d+|[^"\d]/g) ?? []
      const text = tokens.map((token, j) => (j === i % tokens.length ? other : token)).join("")
      const mutated = file(text, bytes.length - 8 - length)
      mutated.set(bytes.subarray(8 + length), mutated.length - (bytes.length - 8 - length))
      return mutated
    })
  const mutations = fc.array(fc.oneof(byteChanged, bytesGone, bytesMore, tokenChanged), { minLength: 1, maxLength: 3 })

  it("gives a typed failure or tensors that are all there, never anything else", () => {
    const seen = { read: 0, refused: 0 }
    fc.assert(
      fc.property(base, mutations, (bytes, all) => {
        const mutated = all.reduce((before, mutate) => mutate(before), bytes)
        const result = Safetensors.decode(mutated)
        if (Result.isFailure(result)) {
          seen.refused++
          expect(result.failure).toBeInstanceOf(MalformedFile)
          expect(result.failure.reason).not.toBe("")
          return
        }
        seen.read++
        const { tensors, metadata } = result.success
        const length = Number(new DataView(mutated.buffer).getBigUint64(0, true))
        const sizes = Object.values(tensors).map(({ data }) => data.length)
        expect(Object.values(tensors).every(Stored.isWhole)).toBe(true)
        expect(8 + length + sizes.reduce((a, b) => a + b, 0)).toBe(mutated.length)
        expect(decoded(Safetensors.encode(tensors, metadata))).toEqual({ tensors, metadata })
      }),
      { numRuns: 3000, seed: 7 }
    )
    // both ends are reached, or the mutations say nothing
    expect(Math.min(seen.read, seen.refused)).toBeGreaterThan(100)
  })
})

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`Safetensors.read on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    const scoped = async <A, E>(body: Effect.Effect<A, E, import("effect").Scope.Scope>): Promise<A> => {
      const before = tf.memory().numTensors
      const answer = await Effect.runPromise(Effect.scoped(body))
      expect(tf.memory().numTensors).toBe(before)
      return answer
    }

    it("write . read = id for what tensors have: float32 to the bit, int32, bool", () => {
      const tensors: Stored.Tensors = {
        b: { dtype: "BOOL", shape: [2], data: Uint8Array.of(1, 0) },
        f: Tensors.specials,
        i: { dtype: "I32", shape: [], data: new Uint8Array(Int32Array.of(-(2 ** 31)).buffer) },
        none: { dtype: "F32", shape: [0, 2], data: new Uint8Array(0) }
      }
      return scoped(
        Effect.gen(function* () {
          const read = yield* Safetensors.read(Safetensors.encode(tensors, { step: "3" }))
          expect(read.metadata).toEqual({ step: "3" })
          expect(yield* Safetensors.write(read.tensors, read.metadata)).toEqual(
            Safetensors.encode(tensors, { step: "3" })
          )
        })
      )
    })

    it("converts the other types as documented", () => {
      const of = (dtype: Stored.Dtype, array: ArrayLike<number> & { readonly buffer: ArrayBuffer }): Stored.Stored => ({
        dtype,
        shape: [array.length],
        data: new Uint8Array(array.buffer.slice(0))
      })
      const wide = BigInt64Array.of(-5n, 2n ** 31n - 1n)
      const tensors: Stored.Tensors = {
        half: of("F16", Uint16Array.of(0x3c00, 0xc000, 0x7c00, 0x0001, 0x7bff, 0x8000)),
        brain: of("BF16", Uint16Array.of(0x3f80, 0xc049, 0xff80)),
        double: of("F64", Float64Array.of(0.1, -1e300)),
        byte: of("U8", Uint8Array.of(255)),
        signed: of("I8", Int8Array.of(-128)),
        long: { dtype: "I64", shape: [2], data: new Uint8Array(wide.buffer) }
      }
      return scoped(
        Effect.gen(function* () {
          const { tensors: read } = yield* Safetensors.read(Safetensors.encode(tensors))
          const values = Object.fromEntries(
            Object.entries(read).map(([name, x]) => [name, [x.dtype, ...Array.from(x.dataSync())]])
          )
          expect(values).toEqual({
            half: ["float32", 1, -2, Infinity, 2 ** -24, 65504, -0],
            brain: ["float32", 1, -3.140625, -Infinity],
            double: ["float32", Math.fround(0.1), -Infinity],
            byte: ["int32", 255],
            signed: ["int32", -128],
            long: ["int32", -5, 2 ** 31 - 1]
          })
        })
      )
    })

    it("an integer beyond 32 bits is a typed failure, and nothing is left behind", async () => {
      const tensors: Stored.Tensors = {
        a: Tensors.specials,
        z: { dtype: "U64", shape: [1], data: Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0) }
      }
      const error = await scoped(Effect.flip(Safetensors.read(Safetensors.encode(tensors))))
      expect(error).toMatchObject({ _tag: "UnreadableValues", dtype: "U64" })
      expect(error.message).toContain('"z" (U64) holds 4294967296, which is beyond 32 bits')
    })
  })
