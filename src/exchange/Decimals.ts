/**
 * Elements of stored tensors as JSON writes them, and back, to the bit.
 *
 * A float is the shortest decimal that gives it back; `"Infinity"`, `"-Infinity"` and `"NaN"` are texts, a NaN of another pattern
 * is `"NaN:7fc00001"` with its bits; -0 keeps its sign. An integer beyond 2^53 is a text. BOOL is `true` and `false`.
 *
 * Room: exchange (level 5). Imports: `tensor`. Laws: test/exchange/StateJson.test.ts.
 */
import * as Half from "../tensor/Half.ts"
import * as Stored from "../tensor/Stored.ts"

// ---- writing ------------------------------------------------------------------------------------------------

const plain = (x: number): string => (Object.is(x, -0) ? "-0" : String(x))

/** The shortest decimal that rounds to this float32. */
const shortest = (x: number): string => {
  if (Number.isInteger(x) && Math.abs(x) < 2 ** 24) return plain(x)
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(x.toPrecision(digits))
    if (Math.fround(short) === x) return String(short)
  }
  return String(Number(x.toPrecision(9)))
}

/** The pattern that every engine gives a NaN that it computes. */
const quiet: Readonly<Partial<Record<Stored.Dtype, string>>> = {
  F16: "7e00",
  BF16: "7fc0",
  F32: "7fc00000",
  F64: "7ff8000000000000"
}

const hexOf = (data: Uint8Array, at: number, width: number): string =>
  Array.from(data.subarray(at, at + width), (b) => b.toString(16).padStart(2, "0"))
    .reverse()
    .join("")

const nan = (bits: string, dtype: Stored.Dtype): string => (bits === quiet[dtype] ? '"NaN"' : `"NaN:${bits}"`)

/** The elements of a tensor as JSON has them. */
export const write = (stored: Stored.Stored): ReadonlyArray<string> => {
  const { dtype, data } = stored
  const width = Stored.byteSizes[dtype]
  const one = (n: number | bigint, i: number): string => {
    if (typeof n === "bigint") return Number.isSafeInteger(Number(n)) ? String(n) : `"${n}"`
    if (Number.isNaN(n)) return nan(hexOf(data, i * width, width), dtype)
    if (!Number.isFinite(n)) return `"${n}"`
    if (dtype === "BOOL") return n === 0 ? "false" : n === 1 ? "true" : String(n)
    return dtype === "F32" ? shortest(n) : plain(n)
  }
  const numbers: ReadonlyArray<number | bigint> = Stored.numbers(stored)
  return numbers.map(one)
}

// ---- reading ------------------------------------------------------------------------------------------------

/** Puts an element at its place; false if the type does not have it. */
type Put = (view: DataView, at: number, value: number | bigint) => boolean

const whole =
  (low: number, high: number, set: (view: DataView, at: number, n: number) => void): Put =>
  (view, at, n) => {
    if (typeof n !== "number" || !Number.isInteger(n) || Object.is(n, -0) || n < low || n > high) return false
    set(view, at, n)
    return true
  }
const wide =
  (low: bigint, high: bigint, set: (view: DataView, at: number, n: bigint) => void): Put =>
  (view, at, value) => {
    if (typeof value === "number" && (!Number.isSafeInteger(value) || Object.is(value, -0))) return false
    const n = BigInt(value)
    if (n < low || n > high) return false
    set(view, at, n)
    return true
  }
const half =
  (bitsOf: (x: number) => number | undefined): Put =>
  (view, at, x) => {
    const bits = typeof x === "number" ? bitsOf(x) : undefined
    if (bits === undefined) return false
    view.setUint16(at, bits, true)
    return true
  }

const puts: Readonly<Record<Stored.Dtype, Put>> = {
  BOOL: whole(0, 255, (view, at, n) => view.setUint8(at, n)),
  U8: whole(0, 255, (view, at, n) => view.setUint8(at, n)),
  I8: whole(-128, 127, (view, at, n) => view.setInt8(at, n)),
  U16: whole(0, 2 ** 16 - 1, (view, at, n) => view.setUint16(at, n, true)),
  I16: whole(-(2 ** 15), 2 ** 15 - 1, (view, at, n) => view.setInt16(at, n, true)),
  U32: whole(0, 2 ** 32 - 1, (view, at, n) => view.setUint32(at, n, true)),
  I32: whole(-(2 ** 31), 2 ** 31 - 1, (view, at, n) => view.setInt32(at, n, true)),
  U64: wide(0n, 2n ** 64n - 1n, (view, at, n) => view.setBigUint64(at, n, true)),
  I64: wide(-(2n ** 63n), 2n ** 63n - 1n, (view, at, n) => view.setBigInt64(at, n, true)),
  F16: half(Half.toBits),
  BF16: half(Half.toBrainBits),
  F32: (view, at, x) => {
    if (typeof x !== "number" || (Number.isFinite(x) && !Number.isFinite(Math.fround(x)))) return false
    view.setFloat32(at, x, true)
    return true
  },
  F64: (view, at, x) => {
    if (typeof x !== "number") return false
    view.setFloat64(at, x, true)
    return true
  }
}

/** The bits that a text such as `"NaN:7fc00001"` names, if they are of a NaN of this type. */
const nanBits = (text: string, dtype: Stored.Dtype): string | undefined => {
  if (text === "NaN") return quiet[dtype]
  const bits = /^NaN:([0-9a-f]+)$/.exec(text)?.[1]
  return bits?.length === 2 * Stored.byteSizes[dtype] && quiet[dtype] !== undefined ? bits : undefined
}

const putBits = (view: DataView, at: number, bits: string): void => {
  const width = bits.length / 2
  for (let i = 0; i < width; i++) view.setUint8(at + width - 1 - i, Number.parseInt(bits.slice(2 * i, 2 * i + 2), 16))
}

/** What a text stands for. */
const named = (text: string, dtype: Stored.Dtype): number | bigint | undefined => {
  const isFloat = quiet[dtype] !== undefined
  if (isFloat) return text === "Infinity" ? Infinity : text === "-Infinity" ? -Infinity : undefined
  return (dtype === "I64" || dtype === "U64") && /^-?\d{1,20}$/.test(text) ? BigInt(text) : undefined
}

/** Whether the bits that were put make a NaN: others are written as decimals. */
const isNaNAt = (data: Uint8Array, at: number, dtype: Stored.Dtype): boolean => {
  const width = Stored.byteSizes[dtype]
  const [value] = Stored.numbers({ dtype, shape: [], data: data.subarray(at, at + width) })
  return Number.isNaN(value)
}

/** The bytes of elements, or the first one that the type does not have. */
export const read = (
  dtype: Stored.Dtype,
  elements: ReadonlyArray<unknown>
): { readonly data: Uint8Array } | { readonly wrong: unknown; readonly at: number } => {
  const width = Stored.byteSizes[dtype]
  const data = new Uint8Array(elements.length * width)
  const view = new DataView(data.buffer)
  const put = (u: unknown, i: number): boolean => {
    const at = i * width
    if (typeof u === "boolean") return dtype === "BOOL" && puts.BOOL(view, at, u ? 1 : 0)
    if (typeof u === "number") return puts[dtype](view, at, u)
    if (typeof u !== "string") return false
    const bits = nanBits(u, dtype)
    if (bits !== undefined) {
      putBits(view, at, bits)
      return isNaNAt(data, at, dtype)
    }
    const value = named(u, dtype)
    return value !== undefined && puts[dtype](view, at, value)
  }
  const wrong = elements.findIndex((u, i) => !put(u, i))
  return wrong === -1 ? { data } : { wrong: elements[wrong], at: wrong }
}
