/**
 * The values that a quantizer can represent, in units of its scale: integers, or minifloats.
 *
 * Room: op (level 1). Imports: `tensor`, `./Minifloat.ts`. Laws: test/op/Levels.test.ts.
 */
import * as Float32 from "../tensor/Float32.ts"
import type * as Minifloat from "./Minifloat.ts"

/** Values in ascending order. */
export interface Levels {
  readonly values: Float64Array
  /** the middle of each value and the next one */
  readonly middles: Float64Array
  /** whether each value is one more than the one before */
  readonly even: boolean
}

/** The integers from `low` to `high`. */
export interface Range {
  readonly low: number
  readonly high: number
}

const of = (values: Float64Array, even: boolean): Levels => ({
  values,
  middles: values.subarray(1).map((value, i) => (value + (values[i] as number)) / 2),
  even
})

/**
 * The integers that a bit-width can name.
 *
 * - formula:  `signed: -2^(b-1) + narrow ... 2^(b-1) - 1; unsigned: 0 ... 2^b - 1 - narrow`
 * - shapes:   numbers
 * - gradient: none
 * - errors:   none
 * - source:   Brevitas, function/ops.py (max_int, min_int)
 *
 * @category levels
 * @since 0.2.0
 */
export const rangeOf = (
  bitWidth: number,
  { signed, narrowRange }: { readonly signed: boolean; readonly narrowRange: boolean }
): Range => {
  const [half, narrow] = [2 ** (bitWidth - 1), narrowRange ? 1 : 0]
  return signed ? { low: narrow - half, high: half - 1 } : { low: 0, high: 2 * half - 1 - narrow }
}

/**
 * What the integers of a range stand for, around a zero-point.
 *
 * - formula:  `k - z, k = low ... high`
 * - shapes:   numbers
 * - gradient: none
 * - errors:   none
 * - source:   Jacob et al. 2018, arXiv:1712.05877
 *
 * @category levels
 * @since 0.2.0
 */
export const integers = ({ low, high }: Range, zeroPoint = 0): Levels =>
  of(
    Float64Array.from({ length: high - low + 1 }, (_, i) => low - zeroPoint + i),
    true
  )

/**
 * The minifloats of a format.
 *
 * - formula:  `+-2^(max(field, 1) - bias) * (field > 0 ? 1.mantissa : 0.mantissa)` up to `max`; unsigned: from 0
 * - shapes:   numbers
 * - gradient: none
 * - errors:   none
 * - source:   IEEE 754; OCP 8-bit floating point specification 1.0
 *
 * @category levels
 * @since 0.2.0
 */
export const minifloats = (
  { exponentBitWidth, mantissaBitWidth, exponentBias }: Minifloat.Format,
  { signed, max = Number.POSITIVE_INFINITY }: { readonly signed: boolean; readonly max?: number | undefined }
): Levels => {
  const step = 2 ** mantissaBitWidth
  const all = Array.from({ length: 2 ** exponentBitWidth * step }, (_, code) => {
    const field = Math.floor(code / step)
    return Float32.exp2(Math.max(field, 1) - exponentBias) * ((field > 0 ? 1 : 0) + (code % step) / step)
  })
  const limit = Math.min(max, all.at(-1) as number)
  const upper = [...all.filter((level) => level < limit), limit]
  const lower = signed ? upper.slice(1).reverse() : []
  return of(Float64Array.from([...lower.map((level) => -level), ...upper]), false)
}

/**
 * The index of the level nearest to a value, among those from `from` to `to`; either one in the middle of two.
 *
 * - formula:  `argmin over i of |v - values[i]|`
 * - shapes:   numbers
 * - gradient: none
 * - errors:   none
 * - source:   binary search; rounding where levels are one apart
 *
 * @category levels
 * @since 0.2.0
 */
export const nearest = ({ values, middles, even }: Levels, v: number, from = 0, to = values.length - 1): number => {
  if (even) {
    const above = v - (values[from] as number)
    return above <= 0 ? from : above >= to - from ? to : from + Math.floor(above + 0.5)
  }
  let [low, high] = [from, to]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((middles[middle] as number) < v) low = middle + 1
    else high = middle
  }
  return low
}
