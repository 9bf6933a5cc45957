/**
 * Norms, with squares as float32 has them.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"
import * as Slices from "../tensor/Slices.ts"

const fround = Math.fround

/**
 * The sum of magnitudes.
 *
 * - formula:  `y = sum |x|`
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: `dy * sign(x)`, `sign(0) = 0`
 * - errors:   none; NaN if there is one; 0 of nothing
 * - source:   Brevitas, core/stats/stats_op.py (L1Norm)
 *
 * @category statistic
 * @since 0.2.0
 */
export const l1 = (x: tf.Tensor, reduction: Slices.Reduction = {}): tf.Tensor =>
  Gradient.customGradient((x: tf.Tensor) => {
    const slices = Slices.of(x, reduction)
    return {
      value: Slices.tensor(slices, Slices.magnitudes(slices)),
      gradient: (dy) => [Slices.linear(slices, undefined, Float64Array.from(Host.floats(dy)))]
    }
  })(x)

const length = (data: Float32Array, start: number, end: number, step: number): number => {
  let sum = 0
  for (let at = start; at < end; at += step) {
    const x = data[at] as number
    sum += fround(x * x)
  }
  return fround(Math.sqrt(fround(sum)))
}

/**
 * The Euclidean length.
 *
 * - formula:  `y = sqrt(sum x^2)`, each square rounded to float32: around 1e30 it is infinite, around 1e-40 it is 0
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: `dy * x / y`, and 0 where `y = 0`
 * - errors:   none; NaN if there is one; 0 of nothing
 * - source:   Brevitas, core/stats/stats_op.py (L2Norm)
 *
 * @category statistic
 * @since 0.2.0
 */
export const l2 = (x: tf.Tensor, reduction: Slices.Reduction = {}): tf.Tensor =>
  Gradient.customGradient((x: tf.Tensor) => {
    const slices = Slices.of(x, reduction)
    const norms = Slices.fold(slices, length)
    return {
      value: Slices.tensor(slices, norms),
      gradient: (dy) => {
        const from = Host.floats(dy)
        const rates = norms.map((norm, slice) => (norm === 0 ? 0 : (from[slice] as number) / norm))
        return [Slices.linear(slices, rates, undefined)]
      }
    }
  })(x)
