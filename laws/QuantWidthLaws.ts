/**
 * The laws of bit-width growth: whatever integers the operands have, the result fits. Proven over all integers of all pairs of widths up
 * to five bits for sums, differences and products, and at the extremes of all pairs up to eight bits for sums of many products.
 *
 * Room: laws. Imports: tfjs, `core`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as QuantTensor from "../src/core/QuantTensor.ts"
import * as Law from "./Law.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

/** A format of integers without a zero-point; narrow ones leave out the lowest integer, or the highest unsigned one. */
export interface Format {
  readonly bits: number
  readonly signed: boolean
  readonly narrow: boolean
}

/** What the laws are about: how wide results are. */
export interface Widths {
  readonly name: string
  readonly sum: (a: Format, b: Format) => number
  readonly difference: (a: Format, b: Format) => number
  readonly product: (a: Format, b: Format) => number
  readonly negative: (a: Format) => number
  /** of so many products */
  readonly accumulator: (a: Format, b: Format, products: number) => number
  /** of so many integers of one format */
  readonly total: (a: Format, count: number) => number
  /** of a sum of products and a bias */
  readonly biased: (sum: Format, bias: Format) => number
}

type Width = (a: QuantTensor.Integers, b: QuantTensor.Integers, n: number) => tf.Tensor

const asked =
  (width: Width) =>
  (a: Format, b: Format, n = 0): number =>
    tf.tidy(() => {
      const [x, y] = [a, b].map(({ bits, signed }) => ({ bitWidth: tf.scalar(bits), signed }))
      return width(x as QuantTensor.Integers, y as QuantTensor.Integers, n).dataSync()[0] as number
    })

/** breve's own. */
export const widths: Widths = {
  name: "breve's widths",
  sum: asked(QuantTensor.sumBitWidth),
  difference: asked(QuantTensor.differenceBitWidth),
  product: asked(QuantTensor.productBitWidth),
  negative: (a) => asked(QuantTensor.negativeBitWidth)(a, a),
  accumulator: asked(QuantTensor.accumulatorBitWidth),
  total: (a, count) => asked((x, _, n) => QuantTensor.totalBitWidth(x, n))(a, a, count),
  biased: asked(QuantTensor.biasedBitWidth)
}

// ---- cases --------------------------------------------------------------------------------------------------

/** Every format up to so many bits. */
export const formats = (most: number): ReadonlyArray<Format> =>
  Array.from({ length: most }, (_, i) => i + 1).flatMap((bits) =>
    [true, false].flatMap((signed) => [false, true].map((narrow) => ({ bits, signed, narrow })))
  )

/** The integers of a format: one signed bit is -1 and 1, or -1 and 0. */
export const integersOf = ({ bits, signed, narrow }: Format): ReadonlyArray<number> => {
  if (signed && bits === 1) return narrow ? [-1, 1] : [-1, 0]
  const low = signed ? -(2 ** (bits - 1)) + (narrow ? 1 : 0) : 0
  const high = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1 - (narrow ? 1 : 0)
  return Array.from({ length: Math.max(1, high - low + 1) }, (_, i) => low + i)
}

/** What so many bits hold, by shifts of whole numbers. */
const holds = (width: number, signed: boolean, q: number): boolean =>
  signed ? q >= -(2 ** (width - 1)) && q < 2 ** (width - 1) : q >= 0 && q < 2 ** width

const pairs = (most: number) => (): ReadonlyArray<{ a: Format; b: Format }> =>
  formats(most).flatMap((a) => formats(most).map((b) => ({ a, b })))

/** The first pair of integers whose result does not fit. */
const overflow = (
  a: Format,
  b: Format,
  width: number,
  signed: boolean,
  f: (p: number, q: number) => number
): Law.Holds => {
  if (!Number.isInteger(width)) return `the width is ${width}`
  for (const p of integersOf(a))
    for (const q of integersOf(b))
      if (!holds(width, signed, f(p, q)))
        return `${p} and ${q} give ${f(p, q)}, which ${width} ${signed ? "signed" : "unsigned"} bits do not hold`
  return true
}

/** The smallest width that holds all results. */
const smallest = (results: ReadonlyArray<number>, signed: boolean): number => {
  const widths = Array.from({ length: 64 }, (_, i) => i + 1)
  return widths.find((width) => results.every((q) => holds(width, signed, q))) as number
}

const whole = (format: Format): Format => ({ ...format, narrow: format.signed && format.bits === 1 })

// ---- laws ---------------------------------------------------------------------------------------------------

/** No sum of any two integers overflows. */
export const sum: Law.Law<Widths> = Law.everywhere(
  { name: "sums fit", states: "for all p, q of every pair of widths up to 5 bits: p + q fits" },
  pairs(5),
  ({ sum }, { a, b }) => overflow(a, b, sum(a, b), a.signed || b.signed, (p, q) => p + q)
)

/** No difference of any two integers overflows. */
export const difference: Law.Law<Widths> = Law.everywhere(
  { name: "differences fit", states: "for all p, q of every pair of widths up to 5 bits: p - q fits" },
  pairs(5),
  ({ difference }, { a, b }) => overflow(a, b, difference(a, b), true, (p, q) => p - q)
)

/** No product of any two integers overflows. */
export const product: Law.Law<Widths> = Law.everywhere(
  { name: "products fit", states: "for all p, q of every pair of widths up to 5 bits: p q fits" },
  pairs(5),
  ({ product }, { a, b }) => overflow(a, b, product(a, b), a.signed || b.signed, (p, q) => p * q)
)

/** No negative overflows, the lowest integer's either; but one signed bit that is -1 and 0 is counted as -1 and 1. */
export const negative: Law.Law<Widths> = Law.everywhere(
  { name: "negatives fit", states: "for all q of every width up to 8 bits: -q fits; one signed bit is -1 and 1" },
  () => formats(8).map((a) => ({ a })),
  ({ negative }, { a }) => {
    const width = negative(a)
    if (a.signed && a.bits === 1) return width === 1 || `-1 and 1 take ${width} bits`
    const wrong = integersOf(a).find((q) => !holds(width, true, -q))
    return wrong === undefined || `${-wrong} does not fit ${width} bits`
  }
)

/** A bit less would not do: of sums and differences no bit is wasted. */
export const tight: Law.Law<Widths> = Law.everywhere(
  { name: "no bit is wasted", states: "sums and differences: the smallest width that holds all results; 2 to 5 bits" },
  () => pairs(5)().filter(({ a, b }) => !a.narrow && !b.narrow && a.bits > 1 && b.bits > 1),
  ({ sum, difference }, { a, b }) => {
    const all = (f: (p: number, q: number) => number): ReadonlyArray<number> =>
      integersOf(a).flatMap((p) => integersOf(b).map((q) => f(p, q)))
    const sums = smallest(
      all((p, q) => p + q),
      a.signed || b.signed
    )
    const differences = smallest(
      all((p, q) => p - q),
      true
    )
    if (sum(a, b) !== sums) return `a sum takes ${sum(a, b)} bits, where ${sums} do`
    return difference(a, b) === differences || `a difference takes ${difference(a, b)} bits, where ${differences} do`
  }
)

const counts = [
  1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 25, 63, 64, 65, 100, 127, 128, 129, 576, 1000, 1023, 1024, 1025, 65536
]

const ends = (format: Format): ReadonlyArray<number> => {
  const all = integersOf(whole(format))
  return [all[0] as number, all.at(-1) as number]
}

/** No sum of so many products overflows, however extreme they are; nor does any sum on the way. */
export const accumulated: Law.Law<Widths> = Law.everywhere(
  {
    name: "sums of products fit",
    states: "for all extremes p, q of every pair of widths up to 8 bits, n up to 2^16: n p q fits"
  },
  () => pairs(8)().filter(({ a, b }) => !a.narrow && !b.narrow),
  ({ accumulator }, { a, b }) => {
    for (const n of counts) {
      const width = accumulator(a, b, n)
      for (const p of ends(a))
        for (const q of ends(b))
          if (!holds(width, a.signed || b.signed, n * p * q)) return `${n} times ${p} x ${q} does not fit ${width} bits`
    }
    return true
  }
)

/** No sum of so many integers overflows. */
export const totalled: Law.Law<Widths> = Law.everywhere(
  { name: "sums of many fit", states: "for all extremes q of every width up to 8 bits, n up to 2^16: n q fits" },
  () =>
    formats(8)
      .filter(({ narrow }) => !narrow)
      .map((a) => ({ a })),
  ({ total }, { a }) => {
    for (const n of counts) {
      const width = total(a, n)
      for (const q of ends(a)) if (!holds(width, a.signed, n * q)) return `${n} times ${q} does not fit ${width} bits`
    }
    return true
  }
)

/** A bias fits in beside the sum it is added to. */
export const biased: Law.Law<Widths> = Law.everywhere(
  { name: "a sum and its bias fit", states: "for all extremes p, q of every pair of widths up to 8 bits: p + q fits" },
  () => pairs(8)().filter(({ a, b }) => !a.narrow && !b.narrow),
  ({ biased }, { a, b }) => {
    const width = biased(a, b)
    for (const p of ends(a))
      for (const q of ends(b))
        if (!holds(width, a.signed || b.signed, p + q)) return `${p} + ${q} does not fit ${width} bits`
    return true
  }
)

/** Every law of widths. */
export const all: ReadonlyArray<Law.Law<Widths>> = [
  sum,
  difference,
  product,
  negative,
  tight,
  accumulated,
  totalled,
  biased
]
