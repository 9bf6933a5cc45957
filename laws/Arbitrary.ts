/**
 * Arbitraries for your own laws: shapes, tensors with what quantizers stumble over, scales, bit-widths, formats, injectors.
 *
 * Room: laws. Imports: fast-check, its own room.
 */
import * as fc from "fast-check"
import * as InjectorTable from "./InjectorTable.ts"
import * as Sample from "./Sample.ts"

// ---- shapes -------------------------------------------------------------------------------------------------

export interface ShapeOptions {
  /** how many axes at least; 0 if absent */
  readonly minRank?: number
  /** 4 if absent */
  readonly maxRank?: number
  /** 24 if absent */
  readonly maxElements?: number
  /** whether an axis may have no element at all */
  readonly empty?: boolean
}

/** Shapes of few elements. */
export const shape = (options: ShapeOptions = {}): fc.Arbitrary<ReadonlyArray<number>> => {
  const { minRank = 0, maxRank = 4, maxElements = 24, empty = false } = options
  const least = empty ? 0 : 1
  const fitting = (dims: ReadonlyArray<number>): ReadonlyArray<number> => {
    let room = Math.max(1, maxElements)
    return dims.map((d) => {
      const fitted = Math.min(d, room)
      room = Math.max(1, Math.floor(room / Math.max(1, fitted)))
      return fitted
    })
  }
  return fc
    .array(fc.integer({ min: least, max: Math.max(1, Math.min(8, maxElements)) }), {
      minLength: minRank,
      maxLength: maxRank
    })
    .map(fitting)
}

// ---- numbers ------------------------------------------------------------------------------------------------

/** The least subnormal and normal numbers, the largest one, and 1. */
const landmarks = [2 ** -149, 2 ** -126, 3.4028234663852886e38, 1] as const

/** Scales as floats, from 2^-20 to 2^20, powers of two among them. */
export const scale: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: -20, max: 20 }).map((k) => 2 ** k),
  fc
    .record({ k: fc.integer({ min: -20, max: 20 }), m: fc.integer({ min: 0, max: 2 ** 10 - 1 }) })
    .map(({ k, m }) => Math.fround((1 + m / 2 ** 10) * 2 ** k))
)

/** Scales that are powers of two, of every exponent of float32's normal numbers if not told otherwise. */
export const powerOfTwo = (least = -126, most = 127): fc.Arbitrary<number> =>
  fc.integer({ min: least, max: most }).map((k) => 2 ** k)

/** A scale for each of some channels: equal ones, or of different sizes. */
export const scales = (channels: number): fc.Arbitrary<ReadonlyArray<number>> =>
  fc.oneof(
    scale.map((one) => Array.from({ length: channels }, () => one)),
    fc.array(scale, { minLength: channels, maxLength: channels })
  )

/** Whole bit-widths. */
export const bitWidth = (least = 1, most = 8): fc.Arbitrary<number> => fc.integer({ min: least, max: most })

/** Any float32 by its bits: NaN with payloads, infinities, subnormals and both zeros among them. */
export const float32: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0, -0, 1, -1, ...landmarks, ...landmarks.map((x) => -x), Number.POSITIVE_INFINITY, Number.NaN),
  fc.float({ noDefaultInfinity: false })
)

// ---- formats ------------------------------------------------------------------------------------------------

export interface IntegerFormat {
  readonly bitWidth: number
  readonly signed: boolean
  /** leaves out the lowest integer if signed, the highest otherwise */
  readonly narrowRange: boolean
}

/** Formats of integers, of at least two bits if narrow. */
export const integerFormat = (least = 1, most = 8): fc.Arbitrary<IntegerFormat> =>
  fc
    .record({ bitWidth: bitWidth(least, most), signed: fc.boolean(), narrowRange: fc.boolean() })
    .map((format) => ({ ...format, narrowRange: format.narrowRange && format.bitWidth > 1 }))

export interface MinifloatFormat {
  readonly exponentBitWidth: number
  readonly mantissaBitWidth: number
  readonly exponentBias: number
  readonly signed: boolean
}

/** Minifloats of at most so many bits, sign included, with the biases of both families and some others. */
export const minifloatFormat = (mostBits = 8): fc.Arbitrary<MinifloatFormat> =>
  fc
    .record({
      exponentBitWidth: fc.integer({ min: 1, max: Math.max(1, Math.min(5, mostBits - 1)) }),
      mantissaBitWidth: fc.integer({ min: 0, max: Math.max(0, mostBits - 2) }),
      shift: fc.constantFrom(0, 1, -1, 3),
      signed: fc.boolean()
    })
    .map(({ shift, ...format }) => ({
      ...format,
      mantissaBitWidth: Math.max(
        0,
        Math.min(format.mantissaBitWidth, mostBits - format.exponentBitWidth - (format.signed ? 1 : 0))
      ),
      exponentBias: 2 ** (format.exponentBitWidth - 1) - 1 + shift
    }))

// ---- tensors ------------------------------------------------------------------------------------------------

/** How the elements of a tensor are spread. */
export type Spread = keyof typeof spreads

/** Elements one after another; `step` is the distance of two codes. */
type Elements = (random: fc.Random, n: number, step: number) => (i: number) => number

const real = (random: fc.Random): number => random.nextInt(-(2 ** 20), 2 ** 20) / 2 ** 20
const bell = (random: fc.Random): number => real(random) + real(random) + real(random)
const pick = <A>(random: fc.Random, all: ReadonlyArray<A>): A => all[random.nextInt(0, all.length - 1)] as A
const nan = (payload: number): number => {
  const bits = new DataView(new ArrayBuffer(4))
  bits.setUint32(0, 0x7fc00000 | payload)
  return bits.getFloat32(0)
}

const spreads = {
  /** bell-shaped, the size of a step or a hundred of them */
  bell: (random, _, step) => {
    const size = step * pick(random, [1, 10, 100])
    return () => size * bell(random)
  },
  /** whole and half steps: every second one is a tie between two codes */
  ties: (random, _, step) => {
    const most = pick(random, [4, 20, 300])
    return () => (random.nextInt(-most, most) / 2) * step
  },
  /** one is far larger than the others */
  outlier: (random, n, step) => {
    const at = random.nextInt(0, Math.max(0, n - 1))
    return (i) => step * bell(random) * (i === at ? 1000 : 1)
  },
  positive: (random, _, step) => () => 10 * step * Math.abs(bell(random)),
  negative: (random, _, step) => () => -10 * step * Math.abs(bell(random)),
  /** mostly zeros, of both signs */
  sparse: (random, _, step) => () => pick(random, [0, 0, 0, -0, -0, 10 * step * bell(random)]),
  equal: (random, _, step) => {
    const value = pick(random, [0, -0, 1, -1, 7.5, bell(random)]) * step
    return () => value
  },
  zeros: (random) => () => pick(random, [0, -0]),
  /** of all sizes, from 2^-24 to 2^24 */
  wide: (random) => () => bell(random) * 2 ** random.nextInt(-24, 24),
  /** too small for float32's normal numbers */
  subnormal: (random) => () => random.nextInt(-100, 100) * 2 ** -149,
  /** as a bell, but some are NaN, with payloads, or infinite */
  special: (random, _, step) => () =>
    pick(random, [
      step * bell(random),
      step * bell(random),
      step * bell(random),
      nan(random.nextInt(0, 2 ** 22 - 1)),
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY
    ]),
  /** as a bell, with one NaN */
  nan: (random, n, step) => {
    const at = random.nextInt(0, Math.max(0, n - 1))
    return (i) => (i === at ? nan(random.nextInt(0, 2 ** 22 - 1)) : step * bell(random))
  }
} satisfies Readonly<Record<string, Elements>>

/** What is ordinary: finite numbers that float32 holds with all its bits. */
export const ordinary: ReadonlyArray<Spread> = [
  "bell",
  "ties",
  "outlier",
  "positive",
  "negative",
  "sparse",
  "equal",
  "zeros",
  "wide"
]
/** Every spread. */
export const everySpread: ReadonlyArray<Spread> = Object.keys(spreads) as ReadonlyArray<Spread>

export interface TensorOptions {
  /** a fixed shape, or arbitrary ones; of up to 12 elements if absent */
  readonly shape?: ReadonlyArray<number> | ShapeOptions
  /** how the elements may be spread; `ordinary` if absent */
  readonly spreads?: ReadonlyArray<Spread>
  /** the distance of two codes, for ties; a power of two from 1/8 to 8 if absent */
  readonly step?: number
}

const isFixed = (given: TensorOptions["shape"]): given is ReadonlyArray<number> => Array.isArray(given)

/** Tensors as samples; `Sample.toTensor` makes tensors of them. */
export const tensor = (options: TensorOptions = {}): fc.Arbitrary<Sample.Sample> => {
  const { shape: wanted = { maxRank: 2, maxElements: 12 }, spreads: among = ordinary, step } = options
  const draw: Sample.Draw = (random, dims) => {
    const n = dims.reduce((a, b) => a * b, 1)
    const next = (spreads[pick(random, among)] as Elements)(random, n, step ?? 2 ** random.nextInt(-3, 3))
    return Float32Array.from({ length: n }, (_, i) => next(i))
  }
  return isFixed(wanted)
    ? Sample.arbitrary(fc.constant(wanted), draw)
    : Sample.arbitrary(shape(wanted), draw, wanted.empty === true ? 0 : 1)
}

// ---- injectors ----------------------------------------------------------------------------------------------

/** Injectors as tables over six names; `InjectorTable.injectorOf` makes injectors of them. */
export const injector: fc.Arbitrary<InjectorTable.Table> = InjectorTable.table
