/**
 * Statistics that scales are computed from.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`, `./Sign.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import { magnitude, ternary } from "./Sign.ts"

/** What is reduced: everything, or one axis, which is kept with size 1 if `keepDims`. */
export interface Reduction {
  readonly axis?: number | undefined
  readonly keepDims?: boolean
}

/** Shares a gradient equally among all elements of `magnitude` that attain `extremum`, with the sign of x. */
const shared = (dy: tf.Tensor, x: tf.Tensor, magnitude: tf.Tensor, extremum: tf.Tensor): tf.Tensor => {
  const hit = tf.cast(tf.equal(magnitude, extremum), "float32")
  return tf.mul(tf.mul(hit, ternary(x)), tf.div(dy, tf.sum(hit)))
}
/**
 * The largest magnitude.
 *
 * - formula:  `y = max |x|`
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: `dy * sign(x)`: over everything shared equally among all elements that attain the maximum, along an axis to the first
 * - errors:   none
 * - source:   Brevitas, core/stats/stats_op.py (AbsMax)
 *
 * @category statistic
 * @since 0.1.0
 */
export const absMax = (x: tf.Tensor, reduction: Reduction = {}): tf.Tensor =>
  reduction.axis === undefined ? overAll(x) : tf.max(magnitude(x), reduction.axis, reduction.keepDims)

const overAll: (x: tf.Tensor) => tf.Tensor = Gradient.customGradient((x: tf.Tensor) => {
  const value = tf.max(tf.abs(x))
  return {
    value,
    saved: [x, value],
    gradient: (dy, [input, extremum]: readonly [tf.Tensor, tf.Tensor]) => [shared(dy, input, tf.abs(input), extremum)]
  }
})

/** The 1-based rank of percentile `q` of `n` values, in double arithmetic, left to right. */
export const highRank = (q: number, n: number): number => Math.floor(0.01 * q * n + 0.5)

/**
 * The magnitude at a high percentile, as the k-th smallest value: no interpolation.
 *
 * - formula:  `y = k-th smallest of |x|, k = floor(0.01 * q * n + 0.5)`
 * - shapes:   `x [...d] -> y []`
 * - gradient: `dy * sign(x)` to the selected element
 * - errors:   none; `k` is held within 1..n, NaN counts as the largest
 * - source:   Brevitas, core/stats/stats_op.py (AbsPercentile)
 *
 * @category statistic
 * @since 0.1.0
 */
export const absPercentile = (x: tf.Tensor, q: number, _reduction: Reduction = {}): tf.Tensor => {
  const flat = tf.reshape(x, [-1])
  const n = flat.size
  const k = Math.min(Math.max(highRank(q, n), 1), n)
  const magnitudes = tf.tidy(() => tf.abs(flat).dataSync()) as Float32Array
  const selected = Float32Array.from(magnitudes).sort()[k - 1] as number
  const place = Number.isNaN(selected) ? magnitudes.findIndex(Number.isNaN) : magnitudes.indexOf(selected)
  return tf.reshape(magnitude(tf.slice(flat, [place], [1])), [])
}

/**
 * The mean magnitude.
 *
 * - formula:  `y = mean |x|`
 * - shapes:   `x [...d] -> y []`
 * - gradient: `dy * sign(x) / n`, `sign(0) = 0`
 * - errors:   none
 * - source:   Brevitas, core/stats/stats_op.py (AbsAve)
 *
 * @category statistic
 * @since 0.1.0
 */
export const absMean = (x: tf.Tensor, reduction: Reduction = {}): tf.Tensor =>
  tf.mean(magnitude(x), reduction.axis, reduction.keepDims)
