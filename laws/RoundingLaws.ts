/**
 * The laws of rounding to whole numbers: where numbers go, what stays, and what the gradient sees.
 *
 * Room: laws. Imports: fast-check, tfjs, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as fc from "fast-check"
import * as Bits from "./Bits.ts"
import * as Law from "./Law.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

/** Where numbers between two whole ones go: `dpu` rounds ties up below zero, and to the even one above it. */
export type Direction = "nearest" | "dpu" | "floor" | "ceil" | "to zero"

/** What the laws are about. */
export interface Rounding {
  readonly name: string
  readonly round: (x: tf.Tensor) => tf.Tensor
  readonly direction: Direction
  /** the gradient of the identity, or none: the true slope almost everywhere */
  readonly gradient: "straight-through" | "none"
}

/** What chance decides: up with the probability of the fraction. The same seed gives the same bits. */
export interface Stochastic {
  readonly name: string
  readonly round: (x: tf.Tensor, seed: number) => tf.Tensor
}

const applied = (f: (x: tf.Tensor) => tf.Tensor, x: ReadonlyArray<number>): Float32Array =>
  tf.tidy(() =>
    f(tf.tensor1d([...x], "float32"))
      .dataSync()
      .slice()
  ) as Float32Array

const gradientOf = (
  f: (x: tf.Tensor) => tf.Tensor,
  x: ReadonlyArray<number>,
  dy: ReadonlyArray<number>
): Float32Array =>
  tf.tidy(() =>
    tf
      .grad(f)(tf.tensor1d([...x]), tf.tensor1d([...dy]))
      .dataSync()
      .slice()
  ) as Float32Array

// ---- definitions --------------------------------------------------------------------------------------------

const halfEven = (x: number): number => {
  const below = Math.floor(x)
  const over = x - below
  return over < 0.5 || (over === 0.5 && below % 2 === 0) ? below : below + 1
}
const halfUp = (x: number): number => Math.floor(x) + (x - Math.floor(x) >= 0.5 ? 1 : 0)

/** The whole number that a direction names. */
const wholes: Readonly<Record<Direction, (x: number) => number>> = {
  nearest: halfEven,
  dpu: (x) => (x < 0 ? halfUp(x) : halfEven(x)),
  floor: Math.floor,
  ceil: Math.ceil,
  "to zero": Math.trunc
}

// ---- cases --------------------------------------------------------------------------------------------------

const real = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.float({ min: Math.fround(-100), max: 100, noNaN: true }),
  fc.integer({ min: -4096, max: 4096 }).map((k) => k + 0.5),
  fc.integer({ min: -4096, max: 4096 }).map((k) => Bits.below(k + 0.5)),
  fc.integer({ min: -4096, max: 4096 })
)
const list = fc.array(real, { minLength: 1, maxLength: 8 })

/** Every middle of two whole numbers up to 4096, with the floats beside it, and the last ones that float32 has. */
const middles: ReadonlyArray<number> = [
  ...Array.from({ length: 4096 }, (_, k) => k),
  ...[0, 1, 2, 3].map((k) => 2 ** 22 + k),
  ...[4, 3, 2, 1].map((k) => 2 ** 23 - k)
]
  .flatMap((k) => [k, Bits.below(k + 0.5), k + 0.5, Bits.above(k + 0.5)])
  .flatMap((x) => [x, -x])

// ---- laws ---------------------------------------------------------------------------------------------------

/** Each number goes where its direction says; so do all middles of two whole numbers, and the floats beside them. */
export const direction: Law.Law<Rounding> = Law.everywhere(
  { name: "every middle, and what is beside it", states: "r(k + 1/2), r(k + 1/2 -+ ulp), |k| <= 4096 and near 2^23" },
  () => [{ numbers: middles }].map(({ numbers }) => ({ from: numbers[0], count: numbers.length })),
  ({ round, direction }) => {
    const wanted = middles.map((x) => wholes[direction](x) + 0)
    const got = Array.from(applied(round, middles), (y) => y + 0)
    return Bits.difference(got, wanted, (i) => `r(${middles[i]})`) ?? true
  }
)

/** Any number goes to the whole number of its direction. */
export const whole: Law.Law<Rounding> = Law.forAll(
  { name: "the whole number of its direction", states: "r(x) = the nearest, even of two; floor; ceil; trunc" },
  { x: list },
  ({ round, direction }, { x }) => {
    const wanted = x.map((v) => wholes[direction](v) + 0)
    const got = Array.from(applied(round, x), (y) => y + 0)
    return Bits.difference(got, wanted, (i) => `r(${x[i]})`) ?? true
  }
)

/** Rounding what is rounded changes nothing. */
export const idempotent: Law.Law<Rounding> = Law.forAll(
  { name: "idempotent", states: "r(r(x)) = r(x)" },
  { x: list },
  ({ round }, { x }) => {
    const once = applied(round, x)
    const [got, wanted] = [applied(round, [...once]), once].map((y) => Array.from(y, (v) => v + 0))
    return Bits.difference(got as Array<number>, wanted as Array<number>, (i) => `r(r(${x[i]}))`) ?? true
  }
)

/** Larger numbers do not become smaller ones. */
export const monotone: Law.Law<Rounding> = Law.forAll(
  { name: "monotone", states: "x <= y => r(x) <= r(y)" },
  { x: list },
  ({ round }, { x }) => {
    const sorted = [...x].sort((a, b) => a - b)
    const y = applied(round, sorted)
    const wrong = y.findIndex((v, i) => i > 0 && v < (y[i - 1] as number))
    return wrong === -1 || `r(${sorted[wrong]}) = ${y[wrong]} < r(${sorted[wrong - 1]}) = ${y[wrong - 1]}`
  }
)

/** Nothing moves by more than a step; the nearest whole number is at most half a step away. */
export const bounded: Law.Law<Rounding> = Law.forAll(
  { name: "the error is bounded", states: "|r(x) - x| <= 1/2 (nearest), <= 1 (others); floor <= x <= ceil" },
  { x: list },
  ({ round, direction }, { x }) => {
    const y = applied(round, x)
    const wrong = x.findIndex((v, i) => {
      const error = (y[i] as number) - v
      const near = direction === "nearest" || direction === "dpu" ? Math.abs(error) <= 0.5 : Math.abs(error) <= 1
      return !near || (direction === "floor" && error > 0) || (direction === "ceil" && error < 0)
    })
    return wrong === -1 || `r(${x[wrong]}) is ${y[wrong]}`
  }
)

/** What does not tell up from down treats both signs alike. */
export const odd: Law.Law<Rounding> = Law.forAll(
  {
    name: "odd",
    states: "r(-x) = -r(x)",
    claimed: "roundings to the nearest even number and to zero",
    unclaimed: ({ direction }) =>
      direction === "nearest" || direction === "to zero" ? undefined : "it tells up from down"
  },
  { x: list },
  ({ round }, { x }) => {
    const mirrored = Array.from(
      applied(
        round,
        x.map((v) => -v)
      ),
      (y) => -y + 0
    )
    return (
      Bits.difference(
        mirrored,
        Array.from(applied(round, x), (y) => y + 0),
        (i) => `-r(-${x[i]})`
      ) ?? true
    )
  }
)

/** NaN and infinities pass, and 0 is +0. */
export const special: Law.Law<Rounding> = Law.everywhere(
  { name: "NaN and infinities pass", states: "r(NaN) = NaN, r(inf) = inf, r(-inf) = -inf, r(0) = 0" },
  () => [{ x: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0] }],
  ({ round }, { x }) => Bits.difference(applied(round, x), x, (i) => `r(${x[i]})`) ?? true
)

/** The gradient is what the rounding says of it: that of the identity, or none. */
export const gradient: Law.Law<Rounding> = Law.forAll(
  { name: "the gradient it states", states: "dx = dy (straight-through), or dx = 0" },
  { x: list, slope: fc.float({ min: -8, max: 8, noNaN: true }) },
  (subject, { x, slope }) => {
    const dy = x.map((_, i) => Math.fround(slope + i))
    const wanted = dy.map((g) => (subject.gradient === "none" ? 0 : g))
    return Bits.difference(gradientOf(subject.round, x, dy), wanted, (i) => `dx at ${x[i]}`) ?? true
  }
)

/** Every law of rounding. */
export const all: ReadonlyArray<Law.Law<Rounding>> = [
  direction,
  whole,
  idempotent,
  monotone,
  bounded,
  odd,
  special,
  gradient
]

// ---- by chance ----------------------------------------------------------------------------------------------

const seed = fc.nat(1e6)

/** One of both neighbours; whole numbers stay. */
export const neighbour: Law.Law<Stochastic> = Law.forAll(
  { name: "one of both neighbours", states: "r(x) is floor(x) or ceil(x); NaN and infinities pass" },
  { x: list, seed },
  ({ round }, { x, seed }) => {
    const given = [...x, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    const y = applied((t) => round(t, seed), given)
    const wrong = given.findIndex(
      (v, i) => ![Math.floor(v), Math.ceil(v)].some((w) => Bits.same(w + 0, (y[i] as number) + 0))
    )
    return wrong === -1 || `r(${given[wrong]}) is ${y[wrong]}`
  }
)

/** The mean of many roundings is the number: within five standard deviations of 4096 of them. */
export const unbiased: Law.Law<Stochastic> = Law.forAll(
  {
    name: "unbiased",
    states: "|mean r(x) - x| <= 5 sqrt(f (1 - f) / n) + 1 / n, f = x - floor(x), n = 4096",
    weight: 4
  },
  {
    k: fc.integer({ min: -20, max: 20 }),
    fraction: fc.float({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    seed
  },
  ({ round }, { k, fraction, seed }) => {
    const n = 4096
    const x = Math.fround(k + fraction)
    const f = x - Math.floor(x)
    const y = applied(
      (t) => round(t, seed),
      Array.from({ length: n }, () => x)
    )
    const error = y.reduce((sum, v) => sum + (v - x), 0) / n
    return Math.abs(error) <= 5 * Math.sqrt((f * (1 - f)) / n) + 1 / n || `the mean of r(${x}) is off by ${error}`
  }
)

/** Chance has a seed: the same one gives the same bits, another one others. */
export const seeded: Law.Law<Stochastic> = Law.forAll(
  {
    name: "the same seed, the same bits",
    states: "r(x, s) = r(x, s); r(x, s) != r(x, s + 1) somewhere among 256 halves"
  },
  { seed },
  ({ round }, { seed }) => {
    const x = Array.from({ length: 256 }, (_, i) => i + 0.5)
    const [once, again, other] = [seed, seed, seed + 1].map((s) => applied((t) => round(t, s), x)) as [
      Float32Array,
      Float32Array,
      Float32Array
    ]
    if (Bits.difference(other, once) === undefined) return "another seed gives the same bits"
    return Bits.difference(again, once) ?? true
  }
)

/** The gradient is that of the identity. */
export const passing: Law.Law<Stochastic> = Law.forAll(
  { name: "straight-through by chance", states: "dx = dy" },
  { x: list, seed },
  ({ round }, { x, seed }) => {
    const dy = x.map((_, i) => i + 0.25)
    return (
      Bits.difference(
        gradientOf((t) => round(t, seed), x, dy),
        dy,
        (i) => `dx at ${x[i]}`
      ) ?? true
    )
  }
)

/** Every law of rounding by chance. */
export const stochastic: ReadonlyArray<Law.Law<Stochastic>> = [neighbour, unbiased, seeded, passing]
