/**
 * Safetensors: tensors by name in one file. Eight bytes with the length of a JSON header, the header, the values.
 *
 * What is read is checked to the last byte before anything is made of it: a header that lies about lengths, types or places is
 * refused. What is written is the same for the same tensors, in whatever order they come.
 *
 * Room: exchange (level 5). Imports: tfjs types, effect, `tensor`, `./JsonText.ts`. Laws: test/exchange/Safetensors.test.ts.
 * Source: huggingface/safetensors, the format's description.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result, type Scope } from "effect"
import { MalformedFile, type UnreadableValues } from "../tensor/FileErrors.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Stored from "../tensor/Stored.ts"
import * as JsonText from "./JsonText.ts"

/** No header is longer, so that a few bytes cannot make a reader allocate gigabytes. */
const longestHeader = 100_000_000
const metadataName = "__metadata__"

// ---- writing ------------------------------------------------------------------------------------------------

const atRest = (tensor: tf.Tensor | Stored.Stored): Stored.Stored =>
  tensor instanceof tf.Tensor ? Stored.fromTensor(tensor) : tensor

const byName = <A>(record: Readonly<Record<string, A>>): ReadonlyArray<readonly [string, A]> =>
  Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))

const checkWritable = (name: string, stored: Stored.Stored): void => {
  const refuse = (reason: string): never => {
    throw new InvalidOptions({ what: "Safetensors.encode", option: name, reason })
  }
  if (name === metadataName) refuse("is not a name for a tensor: the format keeps its texts there")
  if (!Stored.isWhole(stored))
    refuse(`has ${stored.data.byteLength} bytes, which is not what ${stored.dtype} [${stored.shape.join(", ")}] takes`)
}

/**
 * The bytes of a file with these tensors and texts. Tensors of wide elements come first, so that every one is aligned; among them
 * names are in alphabetical order. A tensor whose bytes do not fit its shape is a defect (`InvalidOptions` is thrown).
 *
 * @category writing
 * @since 0.3.0
 */
export const encode = (
  tensors: Readonly<Record<string, tf.Tensor | Stored.Stored>>,
  metadata: Readonly<Record<string, string>> = {}
): Uint8Array => {
  const stored = byName(tensors).map(([name, tensor]) => [name, atRest(tensor)] as const)
  for (const [name, one] of stored) checkWritable(name, one)
  const widest = stored.toSorted(([, a], [, b]) => Stored.byteSizes[b.dtype] - Stored.byteSizes[a.dtype])
  const entries: Array<readonly [string, unknown]> = []
  let end = 0
  for (const [name, { dtype, shape, data }] of widest) {
    entries.push([name, { dtype, shape, data_offsets: [end, end + data.byteLength] }])
    end += data.byteLength
  }
  const texts = byName(metadata)
  const head = texts.length === 0 ? [] : [[metadataName, Object.fromEntries(texts)] as const]
  // written one by one: an object would put names that are numbers first
  const lines = [...head, ...entries].map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`)
  const text = new TextEncoder().encode(`{${lines.join(",")}}`)
  const length = Math.ceil(text.length / 8) * 8
  const bytes = new Uint8Array(8 + length + end)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true)
  bytes.fill(0x20, 8 + text.length, 8 + length)
  bytes.set(text, 8)
  let start = 8 + length
  for (const [, { data }] of widest) {
    bytes.set(data, start)
    start += data.byteLength
  }
  return bytes
}

// ---- reading ------------------------------------------------------------------------------------------------

/** An entry of the header, checked by itself. */
interface Entry {
  readonly name: string
  readonly dtype: Stored.Dtype
  readonly shape: ReadonlyArray<number>
  readonly begin: number
  readonly end: number
}

const pickled =
  "is a pickled PyTorch file, which runs code when it is read and is therefore not read here. Convert it in Python: " +
  'from safetensors.torch import save_file; save_file(torch.load("x.pt", map_location="cpu"), "x.safetensors")'

/** Zip archives and pickles of protocol 2 and later: what `torch.save` writes. */
const isPickled = (bytes: Uint8Array): boolean =>
  bytes[8] !== 0x7b &&
  ((bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4) ||
    (bytes[0] === 0x80 && bytes[1] !== undefined && bytes[1] >= 2 && bytes[1] <= 5))

const headerOf = (bytes: Uint8Array): Result.Result<{ readonly text: string; readonly start: number }, string> => {
  if (isPickled(bytes)) return Result.fail(pickled)
  if (bytes.length < 8)
    return Result.fail(`is cut short: it has ${bytes.length} bytes, and the length of a header takes 8`)
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true)
  if (length > BigInt(longestHeader))
    return Result.fail(`is not a safetensors file: a header of ${length} bytes is longer than ${longestHeader}`)
  const start = 8 + Number(length)
  if (start > bytes.length)
    return Result.fail(`is cut short: it has ${bytes.length} bytes, and its header alone ends at ${start}`)
  if (bytes[8] !== 0x7b || length < 2n)
    return Result.fail("is not a safetensors file: its header does not begin with {")
  return Result.mapError(
    Result.try(() => ({ text: new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, start)), start })),
    () => "has a header that is not UTF-8"
  )
}

const entryOf = (name: string, u: unknown): Result.Result<Entry, string> => {
  const wrong = (reason: string): Result.Result<never, string> => Result.fail(`has a tensor "${name}" ${reason}`)
  if (!JsonText.isRecord(u)) return wrong("that is not described by an object")
  const { dtype, shape, data_offsets: offsets, ...others } = u
  const other = Object.keys(others)[0]
  if (other !== undefined) return wrong(`with an unknown attribute "${other}"`)
  if (typeof dtype !== "string") return wrong("without a dtype")
  if (!Stored.isDtype(dtype))
    return wrong(`of the type ${dtype}, which is not read; known are ${Object.keys(Stored.byteSizes).join(", ")}`)
  if (!JsonText.isShape(shape)) return wrong(`of the shape ${JSON.stringify(shape)}`)
  if (!JsonText.isShape(offsets) || offsets.length !== 2 || (offsets[0] as number) > (offsets[1] as number))
    return wrong(`at the offsets ${JSON.stringify(offsets)}`)
  const [begin, end] = offsets as readonly [number, number]
  const size = Stored.sizeOf(shape) * Stored.byteSizes[dtype]
  if (end - begin !== size) return wrong(`of ${end - begin} bytes, but ${dtype} [${shape.join(", ")}] takes ${size}`)
  return Result.succeed({ name, dtype, shape, begin, end })
}

/** The entries must follow one another without overlaps or holes from the first byte to the last. */
const laidOut = (entries: ReadonlyArray<Entry>, length: number): Result.Result<void, string> => {
  const sorted = entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)
  let at = 0
  for (const { name, begin, end } of sorted) {
    if (begin < at) return Result.fail(`has a tensor "${name}" that overlaps another one at byte ${begin}`)
    if (begin > at) return Result.fail(`has a hole of ${begin - at} bytes before the tensor "${name}"`)
    at = end
  }
  if (at > length) return Result.fail(`is cut short: its tensors take ${at} bytes, there are ${length}`)
  if (at < length) return Result.fail(`has ${length - at} bytes after its last tensor`)
  return Result.succeed(undefined)
}

const textsOf = (u: unknown): Result.Result<Readonly<Record<string, string>>, string> => {
  if (u === undefined) return Result.succeed({})
  const texts = JsonText.isRecord(u) && Object.values(u).every((text) => typeof text === "string")
  return texts
    ? Result.succeed(u as Readonly<Record<string, string>>)
    : Result.fail(`has something else than texts by name under ${metadataName}`)
}

const archiveOf = (bytes: Uint8Array): Result.Result<Stored.Archive, string> =>
  Result.gen(function* () {
    const { text, start } = yield* headerOf(bytes)
    const header = yield* Result.mapError(JsonText.parse(text), (reason) => `has a header that ${reason}`)
    if (!JsonText.isRecord(header)) return yield* Result.fail("has a header that is not an object")
    const metadata = yield* textsOf(Object.hasOwn(header, metadataName) ? header[metadataName] : undefined)
    const named = Object.entries(header).filter(([name]) => name !== metadataName)
    const entries: ReadonlyArray<Entry> = yield* Result.all(named.map(([name, u]) => entryOf(name, u)))
    const values = bytes.subarray(start)
    yield* laidOut(entries, values.length)
    const tensors = entries.map(
      ({ name, dtype, shape, begin, end }) => [name, { dtype, shape, data: values.slice(begin, end) }] as const
    )
    return { tensors: Object.fromEntries(tensors), metadata }
  })

/**
 * The tensors and texts of a file, with the bytes that are there. `file` is its name for messages.
 *
 * - errors: MalformedFile: cut short, a header that is none, or tensors that overlap or lie outside
 *
 * @category reading
 * @since 0.3.0
 */
export const decode = (bytes: Uint8Array, file = "the file"): Result.Result<Stored.Archive, MalformedFile> =>
  Result.mapError(archiveOf(bytes), (reason) => new MalformedFile({ file, reason }))

/** Tensors and texts, ready to compute with. */
export interface Read {
  readonly tensors: Readonly<Record<string, tf.Tensor>>
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * The tensors of a file, which live in the surrounding Scope. 16-bit floats and F64 become float32, integers int32, see
 * `Stored.toTensor`.
 *
 * - errors: MalformedFile as `decode`; UnreadableValues for integers that int32 does not hold
 *
 * @category reading
 * @since 0.3.0
 */
export const read = Effect.fn("Safetensors.read")(function* (
  bytes: Uint8Array,
  file?: string
): Effect.fn.Return<Read, MalformedFile | UnreadableValues, Scope.Scope> {
  const { tensors, metadata } = yield* Effect.fromResult(decode(bytes, file))
  return { tensors: yield* Stored.tensors(tensors), metadata }
})

/**
 * The bytes of a file with these tensors, which stay the caller's; what cannot be written is a typed failure.
 *
 * - errors: InvalidOptions for names, or tensors, that a file cannot have
 *
 * @category writing
 * @since 0.3.0
 */
export const write = Effect.fn("Safetensors.write")(
  (
    tensors: Readonly<Record<string, tf.Tensor | Stored.Stored>>,
    metadata: Readonly<Record<string, string>> = {}
  ): Effect.Effect<Uint8Array, InvalidOptions> =>
    Effect.suspend(() => {
      try {
        return Effect.succeed(encode(tensors, metadata))
      } catch (cause) {
        return cause instanceof InvalidOptions ? Effect.fail(cause) : Effect.die(cause)
      }
    })
)
