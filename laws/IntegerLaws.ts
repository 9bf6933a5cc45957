/**
 * The laws of integer formats, proven over every integer of every format of at most eight bits.
 *
 * Formats are all widths, signed or not, narrow or not; each with a few scales and zero-points. Where a middle must be exact the scale
 * is a power of two.
 *
 * Room: laws. Imports: tfjs, `op`, `core`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as QuantTensor from "../src/core/QuantTensor.ts"
import * as FakeQuant from "../src/op/FakeQuant.ts"
import * as Range from "../src/op/Range.ts"
import * as Bits from "./Bits.ts"
import * as Law from "./Law.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

/** A format of integers. */
export interface Format extends Range.IntegerRange {
  readonly bitWidth: number
}

/** How integers stand for numbers. */
export interface Grid {
  readonly scale: number
  readonly zeroPoint: number
}

/** What the laws are about: the range of a format, quantization to it, and its integers. */
export interface Integers {
  readonly name: string
  readonly range: (format: Format) => { readonly low: number; readonly high: number }
  /** numbers on the grid of a format near other numbers */
  readonly quantize: (
    values: ReadonlyArray<number>,
    format: Format,
    grid: Grid,
    rounding: FakeQuant.Rounding
  ) => ArrayLike<number>
  /** the integers of numbers that lie on the grid */
  readonly encode: (values: ReadonlyArray<number>, format: Format, grid: Grid) => ArrayLike<number>
}

const rangeOf = (format: Format) => ({
  low: Range.smallest(format.bitWidth, format),
  high: Range.largest(format.bitWidth, format)
})

/** breve's own, on the backend that is selected. */
export const integers: Integers = {
  name: "breve's integers",
  range: rangeOf,
  quantize: (values, format, { scale, zeroPoint }, rounding) =>
    tf.tidy(() => {
      const { low, high } = rangeOf(format)
      const options = { rounding, clampPasses: false }
      return FakeQuant.fakeQuantize(
        tf.tensor1d([...values]),
        tf.scalar(scale),
        zeroPoint,
        low,
        high,
        options
      ).dataSync()
    }),
  encode: (values, { bitWidth, signed }, grid) =>
    tf.tidy(() => {
      const value = tf.tensor1d([...values])
      return QuantTensor.int(QuantTensor.fromNumbers(value, { ...grid, bitWidth, signed, training: false })).dataSync()
    })
}

/** Every format of at most eight bits. */
export const formats: ReadonlyArray<Format> = Array.from({ length: 8 }, (_, i) => i + 1).flatMap((bitWidth) =>
  [true, false].flatMap((signed) => [false, true].map((narrowRange) => ({ bitWidth, signed, narrowRange })))
)

const grids: ReadonlyArray<Grid> = [1, 0.5, 2 ** -20, 0.1, 3.7, 1e-6].flatMap((scale) =>
  [0, 3, -5].map((zeroPoint) => ({ scale: Math.fround(scale), zeroPoint }))
)
const exactGrids = grids.filter(({ scale }) => Number.isInteger(Math.log2(scale)))

// ---- cases --------------------------------------------------------------------------------------------------

/** The definition, in shifts of whole numbers. */
const defined = ({ bitWidth, signed, narrowRange }: Format): { readonly low: number; readonly high: number } => {
  const narrow = narrowRange ? 1 : 0
  const half = 1 << (bitWidth - 1)
  return signed ? { low: narrow - half, high: half - 1 } : { low: 0, high: 2 * half - 1 - narrow }
}

const wholeOf = (format: Format): ReadonlyArray<number> => {
  const { low, high } = defined(format)
  return Array.from({ length: high - low + 1 }, (_, i) => low + i)
}

const on = (grids: ReadonlyArray<Grid>) => (): Iterable<{ format: Format; grid: Grid }> =>
  formats.flatMap((format) => grids.map((grid) => ({ format, grid })))

const numberAt = (q: number, { scale, zeroPoint }: Grid): number => Math.fround((q - zeroPoint) * scale)

const clamped = (q: number, format: Format): number => {
  const { low, high } = defined(format)
  return Math.min(Math.max(q, low), high)
}

/** Quantizes what lies at these places between integers, against the integers that are wanted. */
const checked = (
  { quantize }: Integers,
  format: Format,
  grid: Grid,
  rounding: FakeQuant.Rounding,
  cases: ReadonlyArray<readonly [place: number, wanted: number]>
): Law.Holds => {
  const inputs = cases.map(([place]) => numberAt(place, grid))
  const wanted = cases.map(([, q]) => numberAt(clamped(q, format), grid) + 0)
  const got = Array.from(quantize(inputs, format, grid, rounding), (y) => y + 0)
  return Bits.difference(got, wanted, (i) => `${rounding}: the number at ${cases[i]?.[0]} steps`) ?? true
}

// ---- laws ---------------------------------------------------------------------------------------------------

/** A width names so many integers, in a row. */
export const range: Law.Law<Integers> = Law.everywhere(
  {
    name: "a width has its integers",
    states: "signed: -2^(b-1) + narrow ... 2^(b-1) - 1; unsigned: 0 ... 2^b - 1 - narrow"
  },
  () => formats.map((format) => ({ format })),
  ({ range }, { format }) => {
    const [{ low, high }, wanted] = [range(format), defined(format)]
    return (
      (low === wanted.low && high === wanted.high) || `it is ${low} ... ${high}, not ${wanted.low} ... ${wanted.high}`
    )
  }
)

/** Every integer is the integer of its value. */
export const inverse: Law.Law<Integers> = Law.everywhere(
  { name: "the integers of values", states: "int((q - z) s) = q" },
  on(grids),
  ({ encode }, { format, grid }) => {
    const whole = wholeOf(format)
    const got = encode(
      whole.map((q) => numberAt(q, grid)),
      format,
      grid
    )
    return Bits.difference(got, whole, (i) => `the integer of ${numberAt(whole[i] as number, grid)}`) ?? true
  }
)

/** What lies on the grid stays, and what lies beyond it goes to its end. */
export const kept: Law.Law<Integers> = Law.everywhere(
  { name: "values of the grid stay", states: "Q((q - z) s) = (clamp(q) - z) s" },
  on(grids),
  (subject, { format, grid }) => {
    const { low, high } = defined(format)
    const beyond = [low - 1, low - 7, high + 1, high + 7, low - 1000, high + 1000]
    const cases = [...wholeOf(format), ...beyond].map((q) => [q, q] as const)
    return checked(subject, format, grid, "nearest", cases)
  }
)

/** Every middle goes to the even integer, the floats beside it to the nearer one. */
export const middles: Law.Law<Integers> = Law.everywhere(
  {
    name: "every middle goes to the even integer",
    states: "Q((q + 1/2 - z) s) = (the even one of q, q + 1) in the range"
  },
  on(exactGrids),
  (subject, { format, grid }) => {
    const cases = [...wholeOf(format), defined(format).low - 1].flatMap((q) => {
      const middle = q + 0.5
      const even = q % 2 === 0 ? q : q + 1
      // the nearest places that a float32 with the zero-point taken away still tells apart
      return [
        [middle, even],
        [middle - 2 ** -14, q],
        [middle + 2 ** -14, q + 1]
      ] as const
    })
    return checked(subject, format, grid, "nearest", cases)
  }
)

/** The other roundings go to the integer that they name. */
export const directed: Law.Law<Integers> = Law.everywhere(
  {
    name: "directed roundings reach the integer they name",
    states: "floor: q; ceil: q + 1; to zero: that of smaller magnitude"
  },
  on(exactGrids),
  (subject, { format, grid }) => {
    const places = [...wholeOf(format), defined(format).low - 1].flatMap((q) => [
      q + 2 ** -14,
      q + 0.5,
      q + 1 - 2 ** -14
    ])
    for (const [rounding, f] of Object.entries({ floor: Math.floor, ceil: Math.ceil, toZero: Math.trunc })) {
      const cases = places.map((place) => [place, f(place)] as const)
      const found = checked(subject, format, grid, rounding as FakeQuant.Rounding, cases)
      if (found !== true) return found
    }
    return true
  }
)

/** Infinities are the ends of the range; NaN is NaN. */
export const special: Law.Law<Integers> = Law.everywhere(
  { name: "NaN stays NaN", states: "Q(NaN) = NaN; Q(inf) = (high - z) s; Q(-inf) = (low - z) s" },
  on(grids),
  ({ quantize }, { format, grid }) => {
    const { low, high } = defined(format)
    const inputs = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    const wanted = [Number.NaN, numberAt(high, grid) + 0, numberAt(low, grid) + 0]
    const got = Array.from(quantize(inputs, format, grid, "nearest"), (y) => y + 0)
    return Bits.difference(got, wanted, (i) => `Q(${inputs[i]})`) ?? true
  }
)

/** Every law of integer formats. */
export const all: ReadonlyArray<Law.Law<Integers>> = [range, inverse, kept, middles, directed, special]
