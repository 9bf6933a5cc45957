/** Idx.ts: files built here, raw and gzipped, and every way in which one can be malformed. */
import { Effect, Result } from "effect"
import { describe, expect, it } from "vitest"
import * as Idx from "../../src/exchange/Idx.ts"
import { MalformedFile } from "../../src/tensor/Errors.ts"

const uint32 = (n: number): ReadonlyArray<number> => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]
const idx = (shape: ReadonlyArray<number>, data: ReadonlyArray<number>, type = 8): Uint8Array =>
  Uint8Array.from([0, 0, type, shape.length, ...shape.flatMap(uint32), ...data])
const gzip = async (bytes: Uint8Array): Promise<Uint8Array> => {
  const stream = new Blob([Uint8Array.from(bytes)]).stream().pipeThrough(new CompressionStream("gzip"))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}
const reason = (result: Result.Result<unknown, MalformedFile>): string =>
  Result.isFailure(result) ? result.failure.reason : "no failure"
const file = (shape: ReadonlyArray<number>, data: ReadonlyArray<number>, name = "f"): Idx.Idx =>
  Result.getOrThrow(Idx.parse(name, idx(shape, data)))

const images = idx([2, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
const labels = idx([2], [9, 0])

describe("Idx.parse", () => {
  it("reads shape and data", () => {
    expect(Result.getOrThrow(Idx.parse("images", images))).toEqual({
      file: "images",
      shape: [2, 2, 3],
      data: Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    })
  })

  it("reads a view that does not start at its buffer's beginning", () => {
    const padded = Uint8Array.from([7, 7, 7, ...labels, 7])
    expect([...Result.getOrThrow(Idx.parse("labels", padded.subarray(3, 3 + labels.length))).data]).toEqual([9, 0])
  })

  const cases: ReadonlyArray<readonly [string, Uint8Array, string]> = [
    ["an empty file", new Uint8Array(0), "the file is empty"],
    ["three bytes", Uint8Array.from([0, 0, 8]), "truncated: an IDX header has at least 4 bytes, the file has 3"],
    ["a picture", Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0, 0]), "wrong magic number 0x89504e47"],
    ["an unknown type", Uint8Array.from([0, 0, 7, 1, 0, 0, 0, 0]), "wrong magic number 0x00000701"],
    ["floats", idx([1], [0, 0, 0, 0], 13), "holds float32 values; only unsigned bytes (type 0x08) are read"],
    ["no dimension", idx([], [1]), "wrong magic number 0x00000800"],
    ["half a header", images.slice(0, 10), "truncated: the header of 3 dimensions has 16 bytes, the file has 10"],
    ["too little", images.slice(0, -1), "truncated: expected 12 bytes of data for shape [2, 2, 3], found 11"],
    ["only a header", images.slice(0, 16), "truncated: expected 12 bytes of data for shape [2, 2, 3], found 0"],
    ["too much", Uint8Array.from([...labels, 1]), "expected 2 bytes of data for shape [2], found 3: 1 too many"],
    ["a huge promise", idx([2 ** 32 - 1, 2 ** 32 - 1], []), "truncated: expected 1844674406"],
    ["a gzipped file", Uint8Array.from([0x1f, 0x8b, 8, 0]), "the file is gzipped"]
  ]
  it.each(cases)("refuses %s", (_, bytes, expected) => {
    const result = Idx.parse("some-file", bytes)
    expect(reason(result)).toContain(expected)
    expect(Result.isFailure(result) && result.failure).toBeInstanceOf(MalformedFile)
    expect(Result.isFailure(result) && result.failure.message).toMatch(/^some-file: /)
  })
})

describe("Idx.read", () => {
  it("reads raw and gzipped bytes alike", async () => {
    const raw = await Effect.runPromise(Idx.read("images", images))
    expect(await Effect.runPromise(Idx.read("images", await gzip(images)))).toEqual(raw)
  })

  it.each([
    ["truncated", (bytes: Uint8Array) => bytes.slice(0, -6)],
    ["only a magic number", (bytes: Uint8Array) => bytes.slice(0, 2)],
    ["corrupt in its check sum", (bytes: Uint8Array) => bytes.with(bytes.length - 7, (bytes.at(-7) ?? 0) ^ 255)],
    ["corrupt in its data", (bytes: Uint8Array) => bytes.with(11, (bytes[11] ?? 0) ^ 255)]
  ])("refuses gzip that is %s", async (_, spoil) => {
    const error = await Effect.runPromise(Effect.flip(Idx.read("x.gz", spoil(await gzip(images)))))
    expect(error).toBeInstanceOf(MalformedFile)
    expect(error.message).toMatch(/^x\.gz: truncated or corrupt gzip data \(.+\)$/)
  })

  it("parses what it unpacked", async () => {
    const error = await Effect.runPromise(Effect.flip(Idx.read("x", await gzip(images.slice(0, -2)))))
    expect(error.reason).toContain("expected 12 bytes of data for shape [2, 2, 3], found 10")
  })
})

describe("Idx.pair", () => {
  it("joins images and labels", () => {
    const pair = Result.getOrThrow(Idx.pair(file([2, 1, 2], [1, 2, 3, 4]), file([2], [9, 0])))
    expect(pair).toEqual({
      images: Uint8Array.from([1, 2, 3, 4]),
      labels: Uint8Array.from([9, 0]),
      count: 2,
      height: 1,
      width: 2
    })
  })

  const two = file([2, 1, 1], [1, 2], "images")
  it.each([
    [
      "labels as images",
      file([2], [1, 2], "a"),
      file([2], [1, 2]),
      "a: images have 3 dimensions [count, height, width], got [2]"
    ],
    ["images as labels", two, file([1, 1, 1], [1], "b"), "b: labels have 1 dimension [count], got [1, 1, 1]"],
    ["zero images", file([0, 28, 28], [], "a"), file([0], []), "a: holds zero images"],
    ["images without pixels", file([2, 28, 0], [], "a"), file([2], [1, 1]), "a: holds images of 28 x 0 pixels"],
    ["counts that differ", two, file([3], [1, 2, 3], "b"), "b: holds 3 labels for the 2 images of images"],
    ["a label above 9", two, file([2], [9, 10], "b"), "b: label 10 at position 1 is not a digit from 0 to 9"]
  ])("refuses %s", (_, left, right, message) => {
    const result = Idx.pair(left, right)
    expect(Result.isFailure(result) && result.failure.message).toBe(message)
  })
})
