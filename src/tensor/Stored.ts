/**
 * Tensors at rest: shape, element type and the bytes themselves, apart from any backend.
 *
 * Bytes are little-endian and row-major. What goes from a tensor to bytes and back keeps every bit, payloads of NaN included.
 *
 * Room: tensor (level 0). Imports: tfjs, effect, `./FileErrors.ts`, `./Half.ts`. Laws: test/tensor/Stored.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result, type Scope } from "effect"
import { UnreadableValues } from "./FileErrors.ts"
import * as Half from "./Half.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** Bytes of an element by type. The names are those of safetensors. */
export const byteSizes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8
} as const

export type Dtype = keyof typeof byteSizes

/** A tensor as bytes. */
export interface Stored {
  readonly dtype: Dtype
  readonly shape: ReadonlyArray<number>
  /** little-endian, row-major; as many as the shape has elements, times the bytes of one */
  readonly data: Uint8Array
}

/** Tensors at rest by name. */
export type Tensors = Readonly<Record<string, Stored>>

/** The content of a file of tensors: the tensors and what is written beside them. */
export interface Archive {
  readonly tensors: Tensors
  readonly metadata: Readonly<Record<string, string>>
}

/** Whether something is the name of an element type. */
export const isDtype = (u: unknown): u is Dtype => typeof u === "string" && Object.hasOwn(byteSizes, u)

/** How many elements a shape has. */
export const sizeOf = (shape: ReadonlyArray<number>): number => shape.reduce((product, d) => product * d, 1)

/** Whether there are as many bytes as shape and type say. */
export const isWhole = ({ dtype, shape, data }: Stored): boolean =>
  data.byteLength === sizeOf(shape) * byteSizes[dtype] && shape.every((d) => Number.isSafeInteger(d) && d >= 0)

// ---- from tensors -------------------------------------------------------------------------------------------

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** The bytes in the other order, element by element, where the machine's order is not the file's. */
const ordered = (bytes: Uint8Array, width: number): Uint8Array => {
  if (littleEndian || width === 1) return bytes
  const swapped = new Uint8Array(bytes.length)
  for (let i = 0; i < bytes.length; i++) swapped[i] = bytes[i - (i % width) + (width - 1 - (i % width))] as number
  return swapped
}

const dtypes: Readonly<Record<string, Dtype>> = { float32: "F32", int32: "I32", bool: "BOOL" }

/** The bytes of a tensor: float32 as F32, int32 as I32, bool as BOOL. Tensors of strings and complex numbers have none: a defect. */
export const fromTensor = (tensor: tf.Tensor): Stored => {
  const dtype = dtypes[tensor.dtype]
  if (dtype === undefined) throw new Error(`Stored.fromTensor: a tensor of ${tensor.dtype} has no bytes`)
  const { buffer, byteOffset, byteLength } = tensor.dataSync() as Float32Array
  const own = new Uint8Array(buffer, byteOffset, byteLength).slice()
  return { dtype, shape: [...tensor.shape], data: ordered(own, byteSizes[dtype]) }
}

/** The bytes of float32 elements. */
export const fromFloats = (values: Float32Array, shape: ReadonlyArray<number>): Stored => ({
  dtype: "F32",
  shape: [...shape],
  data: ordered(new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice(), 4)
})

/** The elements as numbers; `bigint` for 64-bit integers. Reading a number may quieten a NaN: bytes never do. */
export const numbers = ({ dtype, data }: Stored): ReadonlyArray<number> | ReadonlyArray<bigint> => {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const width = byteSizes[dtype]
  const each = <A>(read: (offset: number) => A): ReadonlyArray<A> =>
    Array.from({ length: data.byteLength / width }, (_, i) => read(i * width))
  switch (dtype) {
    case "BOOL":
    case "U8":
      return each((i) => view.getUint8(i))
    case "I8":
      return each((i) => view.getInt8(i))
    case "U16":
      return each((i) => view.getUint16(i, true))
    case "I16":
      return each((i) => view.getInt16(i, true))
    case "F16":
      return each((i) => Half.fromBits(view.getUint16(i, true)))
    case "BF16":
      return each((i) => Half.fromBrainBits(view.getUint16(i, true)))
    case "U32":
      return each((i) => view.getUint32(i, true))
    case "I32":
      return each((i) => view.getInt32(i, true))
    case "F32":
      return each((i) => view.getFloat32(i, true))
    case "F64":
      return each((i) => view.getFloat64(i, true))
    case "I64":
      return each((i) => view.getBigInt64(i, true))
    case "U64":
      return each((i) => view.getBigUint64(i, true))
  }
}

// ---- to tensors ---------------------------------------------------------------------------------------------

/** The bytes of F32 elements as an array of them, at an address that such an array may have. */
const floatsOf = (data: Uint8Array): Float32Array => new Float32Array(ordered(data.slice(), 4).buffer)

const integral: ReadonlySet<Dtype> = new Set(["U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64"])

/** The elements as float32: BOOL, 8 and 16 bits exactly, F32 to the bit, the wider ones rounded to the nearest. */
export const floats = (stored: Stored): Float32Array =>
  stored.dtype === "F32" ? floatsOf(stored.data) : Float32Array.from(numbers(stored), Number)

const largest = 2 ** 31

/**
 * The tensor of these bytes, which is the caller's to dispose: F32, F16, BF16 and F64 become float32 (F64 rounded to the nearest),
 * BOOL becomes bool (whatever is not 0 is true), integers become int32, and fail where one of them does not fit.
 *
 * - errors: UnreadableValues, under this name, for integers that int32 does not hold
 */
export const toTensor = (stored: Stored, name = "a tensor"): Result.Result<tf.Tensor, UnreadableValues> => {
  const { dtype, data } = stored
  const shape = [...stored.shape]
  if (dtype === "BOOL")
    return Result.succeed(
      tf.tensor(
        data.map((b) => Math.min(b, 1)),
        shape,
        "bool"
      )
    )
  if (dtype === "I32") return Result.succeed(tf.tensor(new Int32Array(ordered(data.slice(), 4).buffer), shape, "int32"))
  if (!integral.has(dtype)) return Result.succeed(tf.tensor(floats(stored), shape, "float32"))
  const values = Array.from(numbers(stored), Number)
  const beyond = values.find((n) => n < -largest || n >= largest)
  if (beyond !== undefined)
    return Result.fail(new UnreadableValues({ what: name, dtype, reason: `holds ${beyond}, which is beyond 32 bits` }))
  return Result.succeed(tf.tensor(Int32Array.from(values), shape, "int32"))
}

/**
 * All tensors of a record, which live in the surrounding Scope.
 *
 * - errors: UnreadableValues, which names the tensor
 */
export const tensors = (
  stored: Tensors
): Effect.Effect<Readonly<Record<string, tf.Tensor>>, UnreadableValues, Scope.Scope> =>
  Effect.map(
    Effect.forEach(Object.entries(stored), ([name, one]) =>
      Effect.map(
        Effect.acquireRelease(
          Effect.suspend(() => Effect.fromResult(toTensor(one, `"${name}"`))),
          (tensor) => Effect.sync(() => tensor.dispose())
        ),
        (tensor) => [name, tensor] as const
      )
    ),
    (pairs) => Object.fromEntries(pairs)
  )
