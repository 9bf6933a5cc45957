/**
 * The laws of clamps: what lies within the bounds stays, what lies beyond goes to the bound, and what the gradient sees of it.
 *
 * Room: laws. Imports: fast-check, tfjs, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as fc from "fast-check"
import * as Bits from "./Bits.ts"
import * as Law from "./Law.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

/** What the laws are about. */
export interface Clamp {
  readonly name: string
  readonly clamp: (x: tf.Tensor, low: number, high: number) => tf.Tensor
  /** whether the gradient is that of the identity; else it is masked beyond the bounds */
  readonly passes: boolean
  /** which bound wins where the two cross */
  readonly winner: "low" | "high"
  /** the same with tensors for bounds; absent: it has numbers only */
  readonly between?: (x: tf.Tensor, low: tf.Tensor, high: tf.Tensor) => tf.Tensor
}

// ---- cases --------------------------------------------------------------------------------------------------

const real = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.float({ min: -10, max: 10, noNaN: true }),
  fc.integer({ min: -8, max: 8 })
)
const bound = fc.oneof(fc.float({ min: -10, max: 10, noNaN: true }), fc.integer({ min: -8, max: 8 }))
const list = fc.array(real, { minLength: 1, maxLength: 8 })
const cases = { x: list, a: bound, b: bound }

interface Case {
  readonly x: ReadonlyArray<number>
  readonly a: number
  readonly b: number
}

/** The bounds in order, and the numbers with some that are equal to a bound. */
const ordered = ({ x, a, b }: Case) => {
  const [low, high] = [Math.min(a, b) + 0, Math.max(a, b) + 0]
  return { low, high, x: [...x, low, high] }
}

const applied = ({ clamp }: Clamp, x: ReadonlyArray<number>, low: number, high: number): Float32Array =>
  tf.tidy(() =>
    clamp(tf.tensor1d([...x], "float32"), low, high)
      .dataSync()
      .slice()
  ) as Float32Array

/** Without the sign of zeros, which is that of a bound where x is equal to it. */
const plain = (y: ArrayLike<number>): ReadonlyArray<number> => Array.from(y, (v) => v + 0)

// ---- laws ---------------------------------------------------------------------------------------------------

/** What lies within stays, what lies beyond becomes the bound. */
export const definition: Law.Law<Clamp> = Law.forAll(
  { name: "within stays, beyond becomes the bound", states: "c(x) = x if l <= x <= h, l if x < l, h if x > h" },
  cases,
  (subject, given) => {
    const { x, low, high } = ordered(given)
    const wanted = x.map((v) => Math.min(Math.max(v, low), high))
    const got = applied(subject, x, low, high)
    return Bits.difference(plain(got), plain(wanted), (i) => `c(${x[i]}, ${low}, ${high})`) ?? true
  }
)

/** Clamping what is clamped changes nothing. */
export const idempotent: Law.Law<Clamp> = Law.forAll(
  { name: "idempotent", states: "c(c(x)) = c(x)" },
  cases,
  (subject, given) => {
    const { x, low, high } = ordered(given)
    const once = applied(subject, x, low, high)
    return Bits.difference(applied(subject, [...once], low, high), once, (i) => `c(c(${x[i]}))`) ?? true
  }
)

/** Larger numbers do not become smaller ones, and no two move apart. */
export const monotone: Law.Law<Clamp> = Law.forAll(
  { name: "monotone, and no two move apart", states: "x <= y => 0 <= c(y) - c(x) <= y - x" },
  cases,
  (subject, given) => {
    const { x, low, high } = ordered(given)
    const sorted = [...x].sort((a, b) => a - b)
    const y = applied(subject, sorted, low, high)
    const wrong = sorted.findIndex((v, i) => {
      if (i === 0) return false
      const [apart, before] = [(y[i] as number) - (y[i - 1] as number), v - (sorted[i - 1] as number)]
      return !(apart >= 0 && apart <= before)
    })
    return wrong === -1 || `c(${sorted[wrong - 1]}) = ${y[wrong - 1]}, c(${sorted[wrong]}) = ${y[wrong]}`
  }
)

/** NaN stays NaN, infinities become bounds: also where a backend's own clamp makes a bound of NaN. */
export const special: Law.Law<Clamp> = Law.forAll(
  { name: "NaN stays NaN", states: "c(NaN) = NaN, c(inf) = h, c(-inf) = l" },
  cases,
  (subject, given) => {
    const { low, high } = ordered(given)
    const inputs = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    const got = applied(subject, inputs, low, high)
    return Bits.difference(plain(got), [Number.NaN, high, low], (i) => `c(${inputs[i]}, ${low}, ${high})`) ?? true
  }
)

/** Where the bounds cross, everything is the bound that wins. */
export const crossed: Law.Law<Clamp> = Law.forAll(
  { name: "where bounds cross", states: "l > h => c(x) = the bound that wins" },
  cases,
  (subject, given) => {
    const { x, low, high } = ordered(given)
    if (low === high) return true
    const got = applied(subject, x, high, low)
    const winner = subject.winner === "low" ? high : low
    const wanted = x.map(() => winner)
    return Bits.difference(plain(got), wanted, (i) => `c(${x[i]}, ${high}, ${low})`) ?? true
  }
)

/** The gradient is masked beyond the bounds, and passes at them; or it passes everywhere. */
export const mask: Law.Law<Clamp> = Law.forAll(
  { name: "the gradient it states", states: "dx = dy where l <= x <= h (or everywhere), else 0" },
  cases,
  (subject, given) => {
    const { x, low, high } = ordered(given)
    const dy = x.map((_, i) => i + 0.25)
    const wanted = x.map((v, i) => (subject.passes || (v >= low && v <= high) ? (dy[i] as number) : 0))
    const got = tf.tidy(() =>
      tf
        .grad((t) => subject.clamp(t, low, high))(tf.tensor1d(x, "float32"), tf.tensor1d(dy))
        .dataSync()
        .slice()
    )
    return Bits.difference(got, wanted, (i) => `dx at ${x[i]} within ${low} ... ${high}`) ?? true
  }
)

/** The gradient goes to the one of number and bounds that was selected: none is lost, none is made. */
export const shared: Law.Law<Clamp> = Law.forAll(
  {
    name: "the gradient goes to what was selected",
    states: "dx = dy within, dl = sum of dy below, dh = sum of dy above",
    claimed: "clamps with tensors for bounds that do not pass the gradient",
    unclaimed: ({ between, passes }) =>
      between === undefined ? "its bounds are numbers" : passes ? "its bounds have no gradient" : undefined
  },
  { ...cases, each: fc.boolean() },
  ({ between }, { each, ...given }) => {
    const { x, low, high } = ordered(given)
    const dy = x.map((_, i) => i + 0.25)
    const sum = (where: (v: number) => boolean): number =>
      x.reduce((s, v, i) => s + (where(v) ? (dy[i] as number) : 0), 0)
    const got = tf.tidy(() => {
      const bounds = [low, high].map((b) => (each ? tf.fill([x.length], b) : tf.scalar(b)))
      const f = (t: tf.Tensor, l: tf.Tensor, h: tf.Tensor) => (between as NonNullable<typeof between>)(t, l, h)
      const gradients = tf.grads(f)([tf.tensor1d(x, "float32"), ...bounds], tf.tensor1d(dy))
      return gradients.map((g, i) => (i === 0 ? [...g.dataSync()] : [tf.sum(g).dataSync()[0] as number]))
    }) as unknown as ReadonlyArray<ReadonlyArray<number>>
    const wanted = [
      ...x.map((v, i) => (v >= low && v <= high ? (dy[i] as number) : 0)),
      sum((v) => v < low),
      sum((v) => v > high)
    ]
    const names = [...x.map((v) => `dx at ${v}`), "dl", "dh"]
    return Bits.difference(got.flat(), wanted, (i) => `${names[i]} within ${low} ... ${high}`) ?? true
  }
)

/** Every law of clamps. */
export const all: ReadonlyArray<Law.Law<Clamp>> = [definition, idempotent, monotone, special, crossed, mask, shared]
