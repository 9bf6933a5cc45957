/**
 * Reader of IDX, the file format of the MNIST digits, raw or gzipped (told by content, not by name).
 *
 * A file is: two zero bytes, a type code, the number of dimensions, each dimension as a big-endian uint32, then the values. Only
 * unsigned bytes (type 0x08) are read: images have 3 dimensions [count, height, width], labels 1.
 *
 * Room: exchange (level 5). Imports: effect and the web's DecompressionStream, so it is safe in a browser.
 * Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section "File formats".
 */
import { Effect, Result } from "effect"
import { MalformedFile } from "../tensor/FileErrors.ts"
import type { Dataset } from "./Dataset.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** The content of one file; `file` is its name for messages. */
export interface Idx {
  readonly file: string
  readonly shape: ReadonlyArray<number>
  /** as many bytes as the product of `shape` */
  readonly data: Uint8Array
}

/** Labels go from 0 to 9. */
const classes = 10

const typeNames: Readonly<Record<number, string>> = {
  9: "int8",
  11: "int16",
  12: "int32",
  13: "float32",
  14: "float64"
}

// ---- one file -----------------------------------------------------------------------------------------------

/**
 * Reads the bytes of a raw IDX file; the data is a view on `bytes`, not a copy.
 *
 * - errors: MalformedFile, which names the file: no IDX of bytes, or not as long as its header says
 */
export const parse = (file: string, bytes: Uint8Array): Result.Result<Idx, MalformedFile> => {
  const malformed = (reason: string): Result.Result<never, MalformedFile> =>
    Result.fail(new MalformedFile({ file, reason }))
  if (bytes.length === 0) return malformed("the file is empty")
  if (isGzip(bytes)) return malformed("the file is gzipped; unpack it first (Idx.read does)")
  if (bytes.length < 4) return malformed(`truncated: an IDX header has at least 4 bytes, the file has ${bytes.length}`)

  const [zero, alsoZero, type = 0, rank = 0] = bytes
  if (zero !== 0 || alsoZero !== 0 || (type !== 8 && typeNames[type] === undefined)) {
    return malformed(
      `wrong magic number 0x${hex(bytes.subarray(0, 4))}: IDX images start with 0x00000803, IDX labels with 0x00000801`
    )
  }
  if (type !== 8) return malformed(`holds ${typeNames[type]} values; only unsigned bytes (type 0x08) are read`)
  if (rank === 0) return malformed("wrong magic number 0x00000800: a file needs at least one dimension")

  const start = 4 + 4 * rank
  if (bytes.length < start) {
    return malformed(`truncated: the header of ${rank} dimensions has ${start} bytes, the file has ${bytes.length}`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i))
  const expected = shape.reduce((product, size) => product * size, 1)
  const actual = bytes.length - start
  if (actual < expected) {
    return malformed(`truncated: expected ${expected} bytes of data for shape [${shape.join(", ")}], found ${actual}`)
  }
  if (actual > expected) {
    return malformed(
      `expected ${expected} bytes of data for shape [${shape.join(", ")}], found ${actual}: ${actual - expected} too many`
    )
  }
  return Result.succeed({ file, shape, data: bytes.subarray(start) })
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

/** Gzip's own magic number. */
const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b

/**
 * The unpacked bytes of a gzipped file; bytes that are not gzipped pass unchanged.
 *
 * - errors: MalformedFile for what begins as a gzipped file and cannot be unpacked
 */
export const gunzip = Effect.fn("Idx.gunzip")(function* (
  file: string,
  bytes: Uint8Array
): Effect.fn.Return<Uint8Array, MalformedFile> {
  if (!isGzip(bytes)) return bytes
  return yield* Effect.tryPromise({
    try: async () => {
      const packed = new Blob([Uint8Array.from(bytes)]).stream()
      return new Uint8Array(await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer())
    },
    catch: (cause) =>
      new MalformedFile({
        file,
        reason: `truncated or corrupt gzip data (${cause instanceof Error ? cause.message : String(cause)})`
      })
  })
})

/**
 * Unpacks if need be, then parses.
 *
 * - errors: MalformedFile as `gunzip` and `parse`
 */
export const read = Effect.fn("Idx.read")(function* (
  file: string,
  bytes: Uint8Array
): Effect.fn.Return<Idx, MalformedFile> {
  return yield* Effect.fromResult(parse(file, yield* gunzip(file, bytes)))
})

// ---- two files ----------------------------------------------------------------------------------------------

/**
 * Joins a file of images and a file of labels, when their counts agree and every label is a digit.
 *
 * - errors: MalformedFile where counts differ, the shapes are none of images and labels, or a label is no digit
 */
export const pair = (images: Idx, labels: Idx): Result.Result<Dataset, MalformedFile> => {
  const malformed = (file: string, reason: string): Result.Result<never, MalformedFile> =>
    Result.fail(new MalformedFile({ file, reason }))
  const [count = 0, height = 0, width = 0] = images.shape
  if (images.shape.length !== 3) {
    return malformed(images.file, `images have 3 dimensions [count, height, width], got [${images.shape.join(", ")}]`)
  }
  if (labels.shape.length !== 1) {
    return malformed(labels.file, `labels have 1 dimension [count], got [${labels.shape.join(", ")}]`)
  }
  if (count === 0) return malformed(images.file, "holds zero images")
  if (height === 0 || width === 0) return malformed(images.file, `holds images of ${height} x ${width} pixels`)
  if (labels.data.length !== count) {
    return malformed(labels.file, `holds ${labels.data.length} labels for the ${count} images of ${images.file}`)
  }
  const wrong = labels.data.findIndex((label) => label >= classes)
  if (wrong >= 0) {
    return malformed(labels.file, `label ${labels.data[wrong]} at position ${wrong} is not a digit from 0 to 9`)
  }
  return Result.succeed({ images: images.data, labels: labels.data, count, height, width })
}
