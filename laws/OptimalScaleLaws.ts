/**
 * The laws of the best scale: nothing that one could try is better.
 *
 * Tensors are described by a few numbers (an amount, a shape of distribution, a seed), errors are computed by trying every level.
 *
 * Room: laws. Imports: fast-check.
 */
import * as fc from "fast-check"
import * as Law from "./Law.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

/** What the laws are about: a search for a scale. */
export interface ScaleSearch {
  /** the sets of values, in units of the scale, that it may choose from: one, or one for each zero-point */
  readonly levels: ReadonlyArray<ReadonlyArray<number>>
  /** the scale, and which of the sets */
  readonly find: (x: Float32Array) => { readonly scale: number; readonly set: number }
}

/** The sum of squares when every element goes to the nearest level; a scale of 0 makes everything 0. */
const errorOf = (x: Float32Array, scale: number, levels: ReadonlyArray<number>): number =>
  x.reduce(
    (sum, v) => sum + (scale === 0 ? v : Math.min(...levels.map((level) => Math.abs(v - scale * level)))) ** 2,
    0
  )

const squaresOf = (x: Float32Array): number => x.reduce((sum, v) => sum + v * v, 0)

// ---- tensors ------------------------------------------------------------------------------------------------

/** Repeatable numbers between 0 and 1. */
const numbersFrom = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** How elements are spread: bell-shaped, on few values (ties), with an outlier, of one sign. */
const spreads: ReadonlyArray<(next: () => number, i: number) => number> = [
  (next) => next() + next() + next() - 1.5,
  (next) => Math.round(6 * next() - 3) / 2,
  (next, i) => (i === 0 ? 50 : 1) * (next() - 0.5),
  (next) => next(),
  (next) => -next(),
  (next) => (next() < 0.5 ? 0 : 1e-3 * next()),
  () => 0
]

/** Small tensors, from one element on. */
export const tensor: fc.Arbitrary<Float32Array> = fc
  .record({
    n: fc.integer({ min: 1, max: 12 }),
    spread: fc.nat(spreads.length - 1),
    exponent: fc.integer({ min: -20, max: 20 }),
    seed: fc.nat(1e6)
  })
  .map(({ n, spread, exponent, seed }) => {
    const next = numbersFrom(seed)
    return Float32Array.from({ length: n }, (_, i) => (spreads[spread]?.(next, i) ?? 0) * 2 ** exponent)
  })

// ---- laws ---------------------------------------------------------------------------------------------------

/** Scales that could be better: evenly up to twice the largest magnitude, and all that make some element exact. */
const scanOf = (x: Float32Array, levels: ReadonlyArray<number>): ReadonlyArray<number> => {
  const largest = x.reduce((max, v) => Math.max(max, Math.abs(v)), 0)
  const even = Array.from({ length: 200 }, (_, i) => (largest * (i + 1)) / 100)
  const exact = [...x].flatMap((v) => levels.map((level) => v / level))
  return [...even, ...exact].filter((s) => s > 0 && Number.isFinite(s))
}

/** No scale of a dense scan, nor any that makes an element exact, has a smaller error. */
export const optimal: Law.Law<ScaleSearch> = Law.forAll(
  { name: "optimal", states: "E(best(x)) <= E(s) for every s, and every zero-point" },
  { x: tensor },
  ({ levels, find }, { x }) => {
    const { scale, set } = find(x)
    const error = errorOf(x, scale, levels[set] as ReadonlyArray<number>)
    const most = error - 1e-12 * squaresOf(x)
    const better = levels.flatMap((one) => scanOf(x, one).filter((s) => errorOf(x, s, one) < most))[0]
    return better === undefined || `the scale ${scale} has the error ${error}, but ${better} has a smaller one`
  }
)

/** A tensor twice as large has an error four times as large. */
export const homogeneous: Law.Law<ScaleSearch> = Law.forAll(
  { name: "homogeneous", states: "E(best(2^k x)) = 4^k E(best(x))" },
  { x: tensor, k: fc.integer({ min: -8, max: 8 }) },
  ({ levels, find }, { x, k }) => {
    const errorAt = (x: Float32Array): number => {
      const { scale, set } = find(x)
      return errorOf(x, scale, levels[set] as ReadonlyArray<number>)
    }
    const [small, large] = [errorAt(x), errorAt(x.map((v) => v * 2 ** k))]
    const same = Math.abs(large - 4 ** k * small) <= 1e-12 * 4 ** k * squaresOf(x)
    return same || `the errors are ${small} and ${large}`
  }
)

/** Where all elements are 0, so is the scale. */
export const zero: Law.Law<ScaleSearch> = Law.forAll(
  { name: "zero", states: "best(0, ..., 0) = 0" },
  { n: fc.integer({ min: 1, max: 12 }) },
  ({ find }, { n }) => find(new Float32Array(n)).scale === 0
)

/** The laws of searches for the best scale. */
export const all: ReadonlyArray<Law.Law<ScaleSearch>> = [optimal, homogeneous, zero]
