/**
 * The laws of powers of two near a number, proven over every exponent of float32.
 *
 * The definition rounds the logarithm to float32 before it rounds it to a whole number. So within 64 floats of a power of two, that
 * power may stand for its neighbour; everywhere else floor, ceil and the nearest are those of the exact logarithm.
 *
 * Room: laws. Imports: tfjs, `op`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as PowerOfTwo from "../src/op/PowerOfTwo.ts"
import * as Bits from "./Bits.ts"
import * as Law from "./Law.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

/** What the laws are about. */
export interface Powers {
  readonly name: string
  /** a power of two near each number */
  readonly near: (values: ReadonlyArray<number>, rounding: PowerOfTwo.Rounding) => ArrayLike<number>
}

const powersBy = (name: string, near: typeof PowerOfTwo.near): Powers => ({
  name,
  near: (values, rounding) => tf.tidy(() => near(tf.tensor1d([...values]), rounding).dataSync())
})

/** breve's own, on the backend that is selected. */
export const powers: Powers = powersBy("breve's powers of two", PowerOfTwo.near)
/** Their definition in other ops. */
export const composed: Powers = powersBy("powers of two, composed", PowerOfTwo.composition)

// ---- cases --------------------------------------------------------------------------------------------------

const roundings = ["nearest", "floor", "ceil"] as const
const lowest = -149
const highest = 127
const exponents = Array.from({ length: highest - lowest + 1 }, (_, i) => lowest + i)

interface Case {
  readonly rounding: PowerOfTwo.Rounding
  readonly exponent: number
}
const everywhere = (): ReadonlyArray<Case> =>
  exponents.flatMap((exponent) => roundings.map((rounding) => ({ exponent, rounding })))

/** Mantissas that are farther than 64 floats from a power of two; two of them are as near to its square root as a float32 logarithm tells. */
const mantissas = [1 + 2 ** -16, 1 + 2 ** -10, 1.25, 1.4139, 1.4145, 1.75, 2 - 2 ** -10, 2 - 2 ** -16]

/** The floats of these mantissas that there are at an exponent: few of them where numbers are denormal. */
const floatsAt = (exponent: number): ReadonlyArray<number> =>
  mantissas
    .map((m) => Math.fround(m * 2 ** exponent))
    .filter((x) => {
      const m = x / 2 ** exponent
      return m > 1 + 2 ** -17 && m < 2 - 2 ** -17 && Math.abs(m - Math.SQRT2) > 1e-4
    })

const isPower = (y: number): boolean => y > 0 && Number.isInteger(Math.log2(y)) && 2 ** Math.log2(y) === y

// ---- laws ---------------------------------------------------------------------------------------------------

/** A power of two is its own. */
export const fixed: Law.Law<Powers> = Law.everywhere(
  { name: "powers of two stay", states: "p(2^k) = 2^k, -149 <= k <= 127, for every rounding" },
  everywhere,
  ({ near }, { rounding, exponent }) => {
    const [y] = Array.from(near([2 ** exponent], rounding))
    return y === 2 ** exponent || `it becomes ${y}, not ${2 ** exponent}`
  }
)

/** Between two powers, the one that the rounding of the logarithm names. */
export const between: Law.Law<Powers> = Law.everywhere(
  {
    name: "between two powers",
    states: "2^k < x < 2^(k+1): floor: 2^k, ceil: 2^(k+1), nearest: 2^k iff x^2 < 2^(2k+1)"
  },
  everywhere,
  ({ near }, { rounding, exponent }) => {
    const inputs = floatsAt(exponent)
    if (inputs.length === 0) return true
    const [low, high] = [2 ** exponent, Math.fround(2 ** (exponent + 1))]
    const wanted = inputs.map((x) => {
      const upper = rounding === "ceil" || (rounding === "nearest" && x / low > Math.SQRT2)
      return upper ? high : low
    })
    return Bits.difference(near(inputs, rounding), wanted, (i) => `${rounding}: p(${inputs[i]})`) ?? true
  }
)

/** A float beside a power of two becomes that power or the neighbour on its side, nothing else. */
export const beside: Law.Law<Powers> = Law.everywhere(
  { name: "a power of two, and nothing else", states: "p(x) = 2^k, k whole, within a factor of two of x" },
  everywhere,
  ({ near }, { rounding, exponent }) => {
    const power = 2 ** exponent
    const inputs = [Bits.below(power), Bits.above(power)].filter((x) => x > 0)
    const outputs = Array.from(near(inputs, rounding))
    const wrong = outputs.findIndex((y, i) => {
      const ratio = y / (inputs[i] as number)
      return !(y === Number.POSITIVE_INFINITY ? exponent === highest : isPower(y) && ratio >= 0.49 && ratio <= 2.01)
    })
    return wrong === -1 || `${rounding}: p(${inputs[wrong]}) is ${outputs[wrong]}`
  }
)

/** A larger number has no smaller power. */
export const monotone: Law.Law<Powers> = Law.everywhere(
  { name: "monotone", states: "x <= y => p(x) <= p(y)" },
  () => roundings.map((rounding) => ({ rounding })),
  ({ near }, { rounding }) => {
    const inputs = exponents.flatMap((k) => [2 ** k, Bits.above(2 ** k), ...floatsAt(k)]).sort((a, b) => a - b)
    const outputs = Array.from(near(inputs, rounding))
    const wrong = outputs.findIndex((y, i) => i > 0 && !(y >= (outputs[i - 1] as number)))
    return (
      wrong === -1 || `p(${inputs[wrong]}) is ${outputs[wrong]}, but p(${inputs[wrong - 1]}) is ${outputs[wrong - 1]}`
    )
  }
)

/** What has no logarithm. */
export const special: Law.Law<Powers> = Law.everywhere(
  { name: "zero, infinity and NaN", states: "p(0) = 0, p(inf) = inf, p(NaN) = NaN, p(x) = NaN for x < 0" },
  () => roundings.map((rounding) => ({ rounding })),
  ({ near }, { rounding }) => {
    const inputs = [0, Number.POSITIVE_INFINITY, Number.NaN, -1, -(2 ** -140)]
    const wanted = [0, Number.POSITIVE_INFINITY, Number.NaN, Number.NaN, Number.NaN]
    return Bits.difference(near(inputs, rounding), wanted, (i) => `p(${inputs[i]})`) ?? true
  }
)

/** Every law of powers of two. */
export const all: ReadonlyArray<Law.Law<Powers>> = [fixed, between, beside, monotone, special]
