/**
 * Percentiles as k-th values: one element is selected, nothing is interpolated.
 *
 * The rank is 1-based, computed in double precision from left to right, and held within 1..n.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`, `./Extremum.ts`, `./Sign.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Select from "../tensor/Select.ts"
import * as Slices from "../tensor/Slices.ts"
import { negativeOrZero } from "./Extremum.ts"
import { magnitude } from "./Sign.ts"

/** The 1-based rank of a percentile among n elements. */
type Rank = (n: number) => number
const highRank =
  (q: number): Rank =>
  (n) =>
    Math.floor(0.01 * q * n + 0.5)
const lowRank =
  (q: number): Rank =>
  (n) =>
    Math.ceil(0.01 * q * n)

/** Where the element of rank `k` stands, by magnitude or as it is; of several the first. NaN counts as the largest. */
const place = (data: Float32Array, start: number, end: number, step: number, k: number, absolute: boolean): number => {
  const keys = new Float32Array((end - start) / step)
  let n = 0
  for (let at = start; at < end; at += step) {
    const x = data[at] as number
    if (!Number.isNaN(x)) keys[n++] = absolute ? Math.abs(x) : x
  }
  const key = k > n ? Number.NaN : Select.smallest(keys.subarray(0, n), k)
  for (let at = start; at < end; at += step) {
    const x = data[at] as number
    if (x === key || (absolute && x === -key) || (k > n && Number.isNaN(x))) return at
  }
  return -1
}

const ranked = (x: tf.Tensor, reduction: Slices.Reduction, rank: Rank, absolute = false): tf.Tensor =>
  Slices.pick(x, reduction, (data, start, end, step) => {
    const n = (end - start) / step
    return place(data, start, end, step, Math.min(Math.max(rank(n), 1), n), absolute)
  })

/**
 * The magnitude at a high percentile.
 *
 * - formula:  `y = k-th smallest of |x|, k = floor(0.01 * q * n + 0.5)`
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: `dy * sign(x)` to the selected element, the first of equal ones
 * - errors:   none; NaN counts as the largest, and comes of nothing
 * - source:   Brevitas, core/stats/stats_op.py (AbsPercentile)
 *
 * @category statistic
 * @since 0.1.0
 */
export const absPercentile = (x: tf.Tensor, q: number, reduction: Slices.Reduction = {}): tf.Tensor =>
  magnitude(ranked(x, reduction, highRank(q), true))

/**
 * The element at a low percentile, if it is negative.
 *
 * - formula:  `y = min(k-th smallest of x, 0), k = ceil(0.01 * q * n)`
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: `dy` to the selected element, the first of equal ones, if it is not positive
 * - errors:   none; NaN counts as the largest, and comes of nothing
 * - source:   Brevitas, core/stats/stats_op.py (NegativePercentileOrZero)
 *
 * @category statistic
 * @since 0.2.0
 */
export const negativePercentileOrZero = (x: tf.Tensor, q: number, reduction: Slices.Reduction = {}): tf.Tensor =>
  negativeOrZero(ranked(x, reduction, lowRank(q)))

/**
 * The distance between the elements at two percentiles, the lower of which counts as 0 if it is positive.
 *
 * - formula:  `y = |high - min(low, 0)|`, `high` of rank `floor(0.01 * highQ * n + 0.5)`, `low` of rank `ceil(0.01 * lowQ * n)`
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: through the selected elements, the first of equal ones
 * - errors:   none; NaN counts as the largest, and comes of nothing
 * - source:   Brevitas, core/stats/stats_op.py (PercentileInterval)
 *
 * @category statistic
 * @since 0.2.0
 */
export const percentileInterval = (
  x: tf.Tensor,
  lowQ: number,
  highQ: number,
  reduction: Slices.Reduction = {}
): tf.Tensor => magnitude(tf.sub(ranked(x, reduction, highRank(highQ)), negativePercentileOrZero(x, lowQ, reduction)))
