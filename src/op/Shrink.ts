/**
 * What half-quadratic searches are made of: shrinkage of errors, and medians of what counts.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as Host from "../tensor/Host.ts"
import * as Select from "../tensor/Select.ts"
import * as Slices from "../tensor/Slices.ts"

const fround = Math.fround

/**
 * Generalized soft thresholding: small elements vanish, large ones become smaller.
 *
 * - formula:  `y = sign(x) * relu(|x| - |x|^(p - 1) / beta)`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: none: searches do not learn
 * - errors:   none; NaN passes
 * - source:   Brevitas, core/stats/stats_op.py (shrink_lp_op); Badri and Shaji 2023, mobiusml.github.io/hqq_blog
 *
 * @category search
 * @since 0.2.0
 */
export const shrink = (x: tf.Tensor, beta: number, p: number): tf.Tensor => {
  const [rate, exponent] = [fround(1 / beta), fround(p - 1)]
  const by = p === 1 ? () => rate : (a: number): number => fround(rate * fround(a ** exponent))
  return Host.map(x, (x) => {
    const a = Math.abs(x)
    const left = fround(a - by(a))
    return left <= 0 ? 0 : x < 0 ? -left : left
  })
}

/**
 * The median of the elements under a mask; of an even number the lower one of the middle two.
 *
 * - formula:  `y = k-th smallest of { x : mask }, k = ceil(count / 2)`
 * - shapes:   `x, mask [...d] -> y []`, or without the reduced axis
 * - gradient: `dy` to the selected element, the first of equal ones
 * - errors:   none; NaN in x does not count, and comes where nothing does
 * - source:   Brevitas, core/stats/stats_op.py (masked_median)
 *
 * @category search
 * @since 0.2.0
 */
export const maskedMedian = (x: tf.Tensor, mask: tf.Tensor, reduction: Slices.Reduction = {}): tf.Tensor => {
  const counts = mask.dataSync()
  return Slices.pick(x, reduction, (data, start, end, step) => {
    const kept = new Float32Array((end - start) / step)
    let n = 0
    for (let at = start; at < end; at += step)
      if (counts[at] !== 0 && !Number.isNaN(data[at])) kept[n++] = data[at] as number
    if (n === 0) return -1
    const median = Select.smallest(kept.subarray(0, n), Math.ceil(n / 2))
    let place = start
    while (counts[place] === 0 || data[place] !== median) place += step
    return place
  })
}
