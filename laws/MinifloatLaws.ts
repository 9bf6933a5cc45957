/**
 * The laws of minifloats, proven over every code of every format of at most eight bits.
 *
 * Formats are all pairs of exponent and mantissa, with and without a sign, with the biases of both families, one below and one above
 * them; and those that reserve codes. Left out is an exponent of eight bits: its largest values are beyond float32.
 *
 * Room: laws. Imports: tfjs, `op`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Minifloat from "../src/op/Minifloat.ts"
import * as MinifloatCode from "../src/op/MinifloatCode.ts"
import * as MinifloatQuant from "../src/op/MinifloatQuant.ts"
import * as Bits from "./Bits.ts"
import * as Law from "./Law.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

/** A format with a name to tell it by. */
export interface Format extends MinifloatCode.Coded {
  readonly name: string
}

/** What the laws are about: codes, and quantization with a scale of 1. */
export interface Minifloats {
  readonly name: string
  readonly formats: ReadonlyArray<Format>
  readonly decode: (code: number, format: Format) => number
  readonly encode: (value: number, format: Format) => number | undefined
  /** what numbers become in a format */
  readonly quantize: (
    values: ReadonlyArray<number>,
    format: Format,
    rounding: MinifloatQuant.Options["rounding"],
    overflow: MinifloatQuant.Overflow
  ) => ArrayLike<number>
}

const named = (format: Omit<Format, "name">, about: string): Format => ({
  name: `${format.signed ? "" : "unsigned "}e${format.exponentBitWidth}m${format.mantissaBitWidth} ${about}`,
  ...format
})

/** Every format of at most eight bits, 1 to 7 of them the exponent's. */
export const formats: ReadonlyArray<Format> = [true, false].flatMap((signed) =>
  Array.from({ length: 7 }, (_, i) => i + 1).flatMap((e) =>
    Array.from({ length: (signed ? 8 : 9) - e }, (_, m) => {
      const bias = Minifloat.biasOf(e)
      const of = { exponentBitWidth: e, mantissaBitWidth: m, signed }
      const reserved = Minifloat.ocpReserved(e + m + (signed ? 1 : 0), e, m)
      const biases = [bias - 1, bias, bias + 1, bias + 2]
      return [
        ...biases.map((exponentBias) => named({ ...of, exponentBias }, `bias ${exponentBias}`)),
        ...(signed ? [named({ ...of, exponentBias: bias + 1, unsignedZero: true }, "FNUZ")] : []),
        ...(Object.keys(reserved).length > 0 ? [named({ ...of, exponentBias: bias, ...reserved }, "OCP")] : [])
      ]
    }).flat()
  )
)

const largestOf = (format: Format): number => Minifloat.maxAvailableFloat(format)

/** breve's own codes and quantization, on the backend that is selected. */
export const minifloats: Minifloats = {
  name: "breve's minifloats",
  formats,
  decode: MinifloatCode.decode,
  encode: MinifloatCode.encode,
  quantize: (values, format, rounding, overflow) => {
    const high = largestOf(format)
    const options = { format, rounding, overflow, low: format.signed ? -high : 0, high, clampPasses: false }
    return tf.tidy(() => MinifloatQuant.quantize(tf.tensor1d([...values]), tf.scalar(1), options).dataSync())
  }
}

// ---- codes in order -----------------------------------------------------------------------------------------

const sizeOf = ({ exponentBitWidth, mantissaBitWidth }: Format): number => 2 ** (exponentBitWidth + mantissaBitWidth)

/** All codes of a format, the negative ones from the largest magnitude on, then the others from zero on. */
const codesOf = (format: Format): ReadonlyArray<number> => {
  const size = sizeOf(format)
  const upper = Array.from({ length: size }, (_, code) => code)
  return format.signed ? [...upper.map((code) => 2 * size - 1 - code), ...upper] : upper
}

/** The finite values that are not negative, by their codes from 0 on. */
const upwards = ({ decode }: Minifloats, format: Format): ReadonlyArray<number> => {
  const all = Array.from({ length: sizeOf(format) }, (_, code) => decode(code, format))
  return all.filter((value) => value <= largestOf(format))
}

/** The definition, apart from the code of the library: the exponent and the mantissa of a code in arithmetic. */
const defined = (code: number, { exponentBitWidth, mantissaBitWidth, exponentBias }: Format): number => {
  const [exponent, mantissa] = [code >> mantissaBitWidth, code % 2 ** mantissaBitWidth]
  const top = exponentBitWidth === 0 ? 0 : exponent
  return top === 0
    ? mantissa * 2 ** (1 - exponentBias - mantissaBitWidth)
    : (2 ** mantissaBitWidth + mantissa) * 2 ** (top - exponentBias - mantissaBitWidth)
}

interface Case {
  readonly format: Format
}
const everyFormat = ({ formats }: Minifloats): Iterable<Case> => formats.map((format) => ({ format }))

const everyCode = function* (subject: Minifloats): Iterable<{ format: string; code: number; of: Format }> {
  for (const of of subject.formats) for (const code of codesOf(of)) yield { format: of.name, code, of }
}

// ---- laws ---------------------------------------------------------------------------------------------------

/** A code stands for `(-1)^s (1 or 0).mantissa 2^exponent`; what is reserved stands for no finite number. */
export const definition: Law.Law<Minifloats> = Law.everywhere(
  { name: "codes have their values", states: "decode(s, e, m) = (-1)^s 2^(max(e, 1) - bias) (min(e, 1) + m / 2^M)" },
  everyCode,
  ({ decode }, { code, of }) => {
    const value = decode(code, of)
    const size = sizeOf(of)
    if (!Number.isFinite(value)) {
      const reserved = code % size > 0 ? defined(code % size, of) > largestOf(of) : of.unsignedZero === true
      return reserved || `it is ${value}, though nothing reserves it`
    }
    const magnitude = defined(code % size, of)
    const wanted = code >= size ? -magnitude : magnitude
    return Bits.same(value, wanted) || `it is ${Bits.shown(value)}, not ${Bits.shown(wanted)}`
  }
)

/** Every code is the code of its own value, but for NaN, which has one code of several. */
export const inverse: Law.Law<Minifloats> = Law.everywhere(
  { name: "encoding undoes decoding", states: "encode(decode(c)) = c, NaN: decode(encode(NaN)) = NaN" },
  everyCode,
  ({ decode, encode }, { code, of }) => {
    const value = decode(code, of)
    const back = encode(value, of)
    if (Number.isNaN(value)) return back !== undefined && Number.isNaN(decode(back, of))
    return back === code || `its value ${Bits.shown(value)} has the code ${back}`
  }
)

/** Codes in the order of their magnitudes have values in that order, no two the same but for the zeros. */
export const ordered: Law.Law<Minifloats> = Law.everywhere(
  {
    name: "the order of codes is that of values",
    states: "c < d => decode(c) < decode(d); decode(c + sign) = -decode(c)"
  },
  everyFormat,
  ({ decode }, { format }) => {
    const values = codesOf(format)
      .map((code) => decode(code, format))
      .filter(Number.isFinite)
    const wrong = values.findIndex((value, i) => i > 0 && !(value > (values[i - 1] as number)) && value !== 0)
    return wrong === -1 || `${values[wrong]} comes after ${values[wrong - 1]}`
  }
)

/** Of two neighbours the nearer one; of both the one that is an even number of steps, without a mantissa the larger one. */
const nearestTo = (x: number, below: number, above: number, codeBelow: number, mantissaBitWidth: number): number => {
  const [under, over] = [x - below, above - x]
  const even = mantissaBitWidth > 0 ? codeBelow % 2 === 0 : codeBelow === 0
  return under < over || (under === over && even) ? below : above
}

/** What lies between two neighbours: their middle, and the floats beside it and beside them; near 0 one that is no denormal. */
const between = (low: number, high: number): ReadonlyArray<number> => {
  const middle = (low + high) / 2
  const first = low === 0 ? high * 2 ** -20 : Bits.above(low)
  return [low, first, Bits.below(middle), middle, Bits.above(middle), Bits.below(high), high].map(Math.fround)
}

/** Both signs of numbers, or only positive ones where there is no sign. */
const signed = (values: ReadonlyArray<number>, format: Format): ReadonlyArray<number> =>
  format.signed ? [...values, ...values.map((x) => -x)] : values

/** Values stay, what lies between goes to the nearer neighbour, the middle to the even one; the float beside the middle does not. */
export const nearest: Law.Law<Minifloats> = Law.everywhere(
  {
    name: "every middle goes to the even neighbour",
    states: "q(v_c) = v_c; v_c < x < v_(c+1) => q(x) = decode(encode(x)) is the nearer one, in the middle the even one"
  },
  everyFormat,
  (subject, { format }) => {
    const values = upwards(subject, format)
    const cases = values.slice(1).flatMap((high, c) => {
      const low = values[c] as number
      return between(low, high).map((x) => [x, nearestTo(x, low, high, c, format.mantissaBitWidth)] as const)
    })
    const inputs = signed(
      cases.map(([x]) => x),
      format
    )
    const wanted = signed(
      cases.map(([, y]) => y),
      format
    )
    const got = subject.quantize(inputs, format, "nearest", "saturate")
    const wrong = Bits.difference(got, wanted, (i) => `q(${Bits.shown(inputs[i] as number)})`)
    if (wrong !== undefined) return wrong
    const coded = cases.map(([x]) => subject.decode(subject.encode(x, format) ?? 0, format))
    return Bits.difference(coded, wanted.slice(0, coded.length), (i) => `decode(encode(${inputs[i]}))`) ?? true
  }
)

/**
 * The other roundings go to the neighbour that they name, from everywhere between but for the last floats below a power of two: there
 * the float32 logarithm of the definition is the next whole number, and the step twice as large.
 */
export const directed: Law.Law<Minifloats> = Law.everywhere(
  {
    name: "directed roundings reach the neighbour they name",
    states:
      "floor: max { v <= x }; ceil: min { v >= x }; to zero: the smaller magnitude; x no closer than 2^-17 below 2^k"
  },
  everyFormat,
  (subject, { format }) => {
    const values = upwards(subject, format)
    const cases = values.slice(1).flatMap((high, c) => {
      const low = values[c] as number
      const inner = between(low, high).filter((x) => x !== Bits.below(high))
      return [...inner, high - high / 2 ** 17].flatMap((x) =>
        x < low ? [] : [{ x, low: x === high ? high : low, high: x === low ? low : high }]
      )
    })
    const all = format.signed
      ? [...cases, ...cases.map(({ x, low, high }) => ({ x: -x, low: -high, high: -low }))]
      : cases
    const inputs = all.map(({ x }) => x)
    for (const rounding of ["floor", "ceil", "toZero"] as const) {
      const wanted = all.map(({ x, low, high }) =>
        rounding === "floor" || (rounding === "toZero" && x > 0) ? low : high
      )
      const got = subject.quantize(inputs, format, rounding, "saturate")
      // the sign of a zero is not stated: rounding to zero loses that of -0
      const plain = (y: ArrayLike<number>): ReadonlyArray<number> => Array.from(y, (one) => one + 0)
      const wrong = Bits.difference(plain(got), plain(wanted), (i) => `${rounding}(${inputs[i]})`)
      if (wrong !== undefined) return wrong
    }
    return true
  }
)

/** Beyond the largest value: that value, infinity, or NaN, as the format says; NaN stays, and infinities are NaN on every grid. */
export const overflow: Law.Law<Minifloats> = Law.everywhere(
  {
    name: "what lies beyond the range",
    states: "x > max + half a step: saturate: max; infinite: inf; nan: NaN; q(NaN) = NaN"
  },
  everyFormat,
  (subject, { format }) => {
    const values = upwards(subject, format)
    const largest = values.at(-1) as number
    const far = [2 * largest, 2 ** 100].map(Math.fround)
    const coded = subject.decode(subject.encode(2 * largest, format) ?? 0, format)
    if (coded !== largest) return `decode(encode(${2 * largest})) is ${coded}, not ${largest}`
    const inputs = signed([...far, Number.NaN], format)
    const ends = { saturate: largest, infinite: Number.POSITIVE_INFINITY, nan: Number.NaN }
    for (const [overflow, end] of Object.entries(ends)) {
      const wanted = signed([...far.map(() => end), Number.NaN], format)
      const got = subject.quantize(inputs, format, "nearest", overflow as MinifloatQuant.Overflow)
      const wrong = Bits.difference(got, wanted, (i) => `${overflow}: q(${inputs[i]})`)
      if (wrong !== undefined) return wrong
    }
    return (
      format.signed ||
      Bits.difference(subject.quantize([-1, -1e9], format, "nearest", "saturate"), [0, 0]) === undefined ||
      "q(-1) is not 0"
    )
  }
)

/** Every law of minifloats. */
export const all: ReadonlyArray<Law.Law<Minifloats>> = [definition, inverse, ordered, nearest, directed, overflow]
