/**
 * The codes of minifloats: the bits that a device stores, as whole numbers, and the values that they stand for.
 *
 * A code has the sign (where there is one) above the exponent above the mantissa: `s eee mm`.
 *
 * Room: op (level 1). Imports: `tensor`, `./Minifloat.ts`. Laws: laws/MinifloatLaws.ts, test/op/MinifloatCode.test.ts.
 */
import * as Float32 from "../tensor/Float32.ts"
import type * as Minifloat from "./Minifloat.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** A format and what its codes mean. */
export interface Coded extends Minifloat.Format, Minifloat.Reserved {
  readonly signed: boolean
  /** whether the code of -0 means NaN and there is no -0, as in the FNUZ formats; default: false */
  readonly unsignedZero?: boolean | undefined
}

/** What a code says, apart from its sign. */
interface Fields {
  readonly negative: boolean
  readonly magnitude: number
}

const magnitudeBits = ({ exponentBitWidth, mantissaBitWidth }: Minifloat.Format): number =>
  exponentBitWidth + mantissaBitWidth

/** The bits of a field, the most significant first. */
const bitsOf = (field: number, width: number): string => (width === 0 ? "" : field.toString(2).padStart(width, "0"))

const fieldsOf = (code: number, format: Coded): Fields => {
  const size = 2 ** magnitudeBits(format)
  return { negative: format.signed && code >= size, magnitude: code % size }
}

/** The number that a code without its sign stands for, if nothing reserves it. */
const sizeOf = (magnitude: number, { mantissaBitWidth: m, exponentBias }: Minifloat.Format): number => {
  const field = Math.floor(magnitude / 2 ** m)
  const fraction = magnitude - field * 2 ** m
  const whole = field > 0 ? 2 ** m : 0
  return Float32.exp2(Math.max(field, 1) - exponentBias - m) * (whole + fraction)
}

// ---- operations ---------------------------------------------------------------------------------------------

/**
 * How many bits a code has.
 *
 * - formula:  `signed + e + m`
 * - shapes:   numbers
 * - gradient: none
 * - errors:   none
 * - source:   IEEE 754
 *
 * @category minifloat
 * @since 0.4.0
 */
export const bitWidthOf = (format: Coded): number => magnitudeBits(format) + (format.signed ? 1 : 0)

/**
 * The value of a code.
 *
 * - formula:  `(-1)^s * codeValue(exponent, mantissa)`; infinity and NaN where the format reserves the code for them
 * - shapes:   numbers
 * - gradient: none
 * - errors:   none; codes are whole numbers from 0 to `2^bitWidth - 1`
 * - source:   IEEE 754; OCP 8-bit floating point specification 1.0; Noune et al. 2022, arXiv:2206.02915 (FNUZ)
 *
 * @category minifloat
 * @since 0.4.0
 */
export const decode = (code: number, format: Coded): number => {
  const { exponentBitWidth: e, mantissaBitWidth: m, infValues = [], nanValues = [] } = format
  const { negative, magnitude } = fieldsOf(code, format)
  if (negative && magnitude === 0 && format.unsignedZero === true) return Number.NaN
  const exponent = Math.floor(magnitude / 2 ** m)
  const isLast = exponent === 2 ** e - 1
  const mantissa = isLast ? bitsOf(magnitude % 2 ** m, m) : ""
  if (isLast && nanValues.includes(mantissa)) return Number.NaN
  const size = isLast && infValues.includes(mantissa) ? Number.POSITIVE_INFINITY : sizeOf(magnitude, format)
  return negative ? -size : size
}

/** The code of the largest finite value: the one below the lowest that is reserved. */
const largestCode = ({ exponentBitWidth: e, mantissaBitWidth: m, infValues = [], nanValues = [] }: Coded): number => {
  const reserved = [...infValues, ...nanValues].map((bits) => (2 ** e - 1) * 2 ** m + Number.parseInt(bits || "0", 2))
  return Math.min(2 ** (e + m), ...reserved) - 1
}

/** The codes that mean something else than a number, the positive ones. */
const reservedCode = (bits: string | undefined, { exponentBitWidth: e, mantissaBitWidth: m }: Coded) =>
  bits === undefined ? undefined : (2 ** e - 1) * 2 ** m + Number.parseInt(bits || "0", 2)

/** The code of the magnitude nearest to a positive number, a tie going to the even number of steps, as quantization rounds. */
const nearestCode = (size: number, format: Coded): number => {
  const search = (low: number, high: number): number => {
    if (high - low <= 1) return low
    const middle = Math.floor((low + high) / 2)
    return sizeOf(middle, format) <= size ? search(middle, high) : search(low, middle)
  }
  const last = largestCode(format)
  const below = search(0, last + 1)
  if (below === last) return last
  const [under, over] = [size - sizeOf(below, format), sizeOf(below + 1, format) - size]
  // without a mantissa neighbours are one step and two steps
  const even = format.mantissaBitWidth > 0 ? below % 2 === 0 : below === 0
  return under < over || (under === over && even) ? below : below + 1
}

/**
 * The code of a value: of the nearest number that the format has, a tie going to the even code (without a mantissa: to the larger
 * one); of the largest number beyond it.
 *
 * - formula:  `argmin over codes of |v - decode(code)|`
 * - shapes:   numbers
 * - gradient: none
 * - errors:   none; infinity becomes the largest number where the format has none, and `undefined` says that it has no NaN; negative
 *   numbers become 0 in a format without a sign
 * - source:   IEEE 754; OCP 8-bit floating point specification 1.0 (saturating conversion)
 *
 * @category minifloat
 * @since 0.4.0
 */
export const encode = (value: number, format: Coded): number | undefined => {
  const size = 2 ** magnitudeBits(format)
  if (Number.isNaN(value))
    return (
      reservedCode(format.nanValues?.[0], format) ?? (format.signed && format.unsignedZero === true ? size : undefined)
    )
  const negative = value < 0 || Object.is(value, -0)
  if (negative && !format.signed) return 0
  const infinite = Number.isFinite(value) ? undefined : reservedCode(format.infValues?.[0], format)
  const magnitude = infinite ?? nearestCode(Math.abs(value), format)
  return negative && !(magnitude === 0 && format.unsignedZero === true) ? size + magnitude : magnitude
}
