/**
 * How far up a learned rounding rounds: functions of a learned parameter, soft in training and hard in evaluation.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"

const fround = Math.fround

/** One float32 rounding, as if the exponential were exact. */
const logistic = (x: number): number => fround(1 / (1 + Math.exp(-x)))

/** A function of one variable whose value and slope are computed in JavaScript. */
const withSlope = (f: (p: number) => number, slope: (p: number) => number): ((p: tf.Tensor) => tf.Tensor) =>
  Gradient.customGradient((p: tf.Tensor) => ({
    value: Host.map(p, f),
    saved: [p],
    gradient: (dy, [input]: readonly [tf.Tensor]) => [tf.mul(dy, Host.map(input, slope))]
  }))

/** The logistic function stretched to [gamma, zeta], one float32 rounding an operation, before it is clamped. */
const stretched = (zeta: number, gamma: number): ((p: number) => number) => {
  const width = fround(zeta - gamma)
  const shift = fround(gamma)
  return (p) => fround(fround(logistic(p) * width) + shift)
}

/** 0 below and 1 above a bound; NaN passes. */
const step =
  (f: (p: number) => number, bound: number): ((p: number) => number) =>
  (p) =>
    Number.isNaN(p) ? p : f(p) > bound ? 1 : 0

/**
 * A logistic function stretched beyond 0 and 1 and cut off there.
 *
 * - formula:  `h = clamp(sigmoid(p) * (zeta - gamma) + gamma, 0, 1)`
 * - shapes:   `p [...d] -> h [...d]`
 * - gradient: `dp = dh * s * (1 - s) * (zeta - gamma)`, `s = sigmoid(p)`, where nothing is cut off, bounds included; else 0
 * - errors:   none; NaN passes
 * - source:   Nagel et al. 2020, arXiv:2004.10568
 *
 * @category learned rounding
 * @since 0.2.0
 */
export const hardSigmoid = (p: tf.Tensor, zeta: number, gamma: number): tf.Tensor => {
  const open = stretched(zeta, gamma)
  return withSlope(
    (x) => Math.min(Math.max(open(x), 0), 1),
    (x) => {
      const y = open(x)
      const s = logistic(x)
      return y >= 0 && y <= 1 ? s * (1 - s) * (zeta - gamma) : 0
    }
  )(p)
}

/**
 * Whether `hardSigmoid` is above one half.
 *
 * - formula:  `h = 1 if clamp(sigmoid(p) * (zeta - gamma) + gamma, 0, 1) > 0.5 else 0`
 * - shapes:   `p [...d] -> h [...d]`
 * - gradient: none
 * - errors:   none; NaN passes
 * - source:   Nagel et al. 2020, arXiv:2004.10568
 *
 * @category learned rounding
 * @since 0.2.0
 */
export const hardSigmoidStep = (p: tf.Tensor, zeta: number, gamma: number): tf.Tensor =>
  Host.map(p, step(stretched(zeta, gamma), 0.5))

/**
 * A logistic function of a temperature.
 *
 * - formula:  `h = sigmoid(p / temperature)`
 * - shapes:   `p [...d] -> h [...d]`
 * - gradient: `dp = dh * h * (1 - h) / temperature`
 * - errors:   none; NaN passes
 * - source:   Brevitas, core/function_wrapper/learned_round.py (LearnedRoundSigmoid)
 *
 * @category learned rounding
 * @since 0.2.0
 */
export const sigmoid = (p: tf.Tensor, temperature: number): tf.Tensor => {
  const at = (x: number): number => logistic(fround(x / fround(temperature)))
  return withSlope(at, (x) => (at(x) * (1 - at(x))) / temperature)(p)
}

/**
 * Whether a number is positive.
 *
 * - formula:  `h = 1 if p > 0 else 0`
 * - shapes:   `p [...d] -> h [...d]`
 * - gradient: none
 * - errors:   none; NaN passes
 * - source:   Brevitas, core/function_wrapper/learned_round.py (LearnedRoundSigmoid)
 *
 * @category learned rounding
 * @since 0.2.0
 */
export const positiveStep = (p: tf.Tensor): tf.Tensor =>
  Host.map(
    p,
    step((x) => x, 0)
  )

/**
 * The parameter with which `hardSigmoid` answers a fraction, so that learning begins at the float values.
 *
 * - formula:  `p = -ln((zeta - gamma) / (fraction - gamma) - 1)`
 * - shapes:   `fraction [...d] -> p [...d]`
 * - gradient: none
 * - errors:   none; NaN passes
 * - source:   Nagel et al. 2020, arXiv:2004.10568; Brevitas, examples/common/learned_round (learned_round_value_init_non_linear)
 *
 * @category learned rounding
 * @since 0.2.0
 */
export const hardSigmoidInverse = (fraction: tf.Tensor, zeta: number, gamma: number): tf.Tensor =>
  Host.map(fraction, (x) => {
    const open = fround(fround(zeta - gamma) / fround(x - fround(gamma)))
    return -Math.log(fround(open - 1))
  })
