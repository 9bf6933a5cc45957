/**
 * Statistics that scales and zero-points are computed from. Sums are taken in double precision and rounded once.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`, `./Extremum.ts`, `./Norm.ts`, `./Sign.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"
import * as Slices from "../tensor/Slices.ts"
import * as Extremum from "./Extremum.ts"
import { l2 } from "./Norm.ts"
import { magnitude } from "./Sign.ts"

export type { Reduction } from "../tensor/Slices.ts"
export { absMax } from "./Extremum.ts"

/**
 * The distance between the largest element and the smallest one, which counts as 0 if positive.
 *
 * - formula:  `y = |max x - min(min x, 0)|`
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: `dy` to the largest and `-dy` to the smallest, if that is not positive; ties as in `largest` and `smallest`
 * - errors:   none; NaN if there is one, and of nothing
 * - source:   Brevitas, core/stats/stats_op.py (AbsMinMax)
 *
 * @category statistic
 * @since 0.2.0
 */
export const absMinMax = (x: tf.Tensor, reduction: Slices.Reduction = {}): tf.Tensor =>
  magnitude(tf.sub(Extremum.largest(x, reduction), negativeMinOrZero(x, reduction)))

/**
 * The smallest element, if it is negative.
 *
 * - formula:  `y = min(min x, 0)`
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: `dy` to the smallest, if that is not positive; ties as in `smallest`
 * - errors:   none; NaN if there is one, and of nothing
 * - source:   Brevitas, core/stats/stats_op.py (NegativeMinOrZero)
 *
 * @category statistic
 * @since 0.2.0
 */
export const negativeMinOrZero = (x: tf.Tensor, reduction: Slices.Reduction = {}): tf.Tensor =>
  Extremum.negativeOrZero(Extremum.smallest(x, reduction))

/**
 * The mean magnitude.
 *
 * - formula:  `y = mean |x|`
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: `dy * sign(x) / n`, `sign(0) = 0`
 * - errors:   none; NaN if there is one, and of nothing
 * - source:   Brevitas, core/stats/stats_op.py (AbsAve)
 *
 * @category statistic
 * @since 0.1.0
 */
export const absMean = (x: tf.Tensor, reduction: Slices.Reduction = {}): tf.Tensor =>
  Gradient.customGradient((x: tf.Tensor) => {
    const slices = Slices.of(x, reduction)
    const n = slices.length
    return {
      value: Slices.tensor(
        slices,
        Slices.magnitudes(slices).map((sum) => Math.fround(sum) / n)
      ),
      gradient: (dy) => [
        Slices.linear(
          slices,
          undefined,
          Float64Array.from(Host.floats(dy), (d) => d / n)
        )
      ]
    }
  })(x)

/**
 * The mean of the largest magnitudes along an axis.
 *
 * - formula:  `y = mean(max_axis |x|)`
 * - shapes:   `x [...d] -> y []`
 * - gradient: `dy * sign(x) / count` to the first of each slice that attains its maximum
 * - errors:   none; NaN if there is one, and of nothing
 * - source:   Brevitas, core/stats/stats_op.py (AbsMaxAve)
 *
 * @category statistic
 * @since 0.2.0
 */
export const absMaxMean = (x: tf.Tensor, reduction: Slices.Reduction = {}): tf.Tensor =>
  absMean(Extremum.absMax(x, reduction))

/**
 * The root of the mean square of the largest magnitudes along an axis.
 *
 * - formula:  `m = max_axis |x|; y = |m|_2 / sqrt(count)`
 * - shapes:   `x [...d] -> y []`
 * - gradient: `dm = dy / sqrt(count) * m / |m|_2`, 0 where the norm is 0; then to the first of each slice that attains its maximum
 * - errors:   none; NaN if there is one, and of nothing; squares are float32, so that 1e30 gives infinity and 1e-40 gives 0
 * - source:   Brevitas, core/stats/stats_op.py (AbsMaxL2)
 *
 * @category statistic
 * @since 0.2.0
 */
export const absMaxL2 = (x: tf.Tensor, reduction: Slices.Reduction = {}): tf.Tensor => {
  const m = Extremum.absMax(x, reduction)
  return tf.div(l2(m), Math.sqrt(m.size))
}

const squares = (data: Float32Array, start: number, end: number, step: number, mean: number): number => {
  let sum = 0
  for (let at = start; at < end; at += step) {
    const deviation = Math.abs(data[at] as number) - mean
    sum += deviation * deviation
  }
  return sum
}

/**
 * The variance of the magnitudes, unbiased.
 *
 * - formula:  `y = sum((|x| - mean |x|)^2) / (n - 1)`
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: `dy * 2 * (|x| - mean |x|) / (n - 1) * sign(x)`
 * - errors:   none; NaN of fewer than two elements
 * - source:   PyTorch's var
 *
 * @category statistic
 * @since 0.2.0
 */
export const absVariance = (x: tf.Tensor, reduction: Slices.Reduction = {}): tf.Tensor =>
  Gradient.customGradient((x: tf.Tensor) => {
    const slices = Slices.of(x, reduction)
    const n = slices.length
    const means = Slices.magnitudes(slices).map((sum) => sum / n)
    const variances = Slices.fold(
      slices,
      (data, start, end, step, slice) => squares(data, start, end, step, means[slice] as number) / (n - 1)
    )
    return {
      value: Slices.tensor(slices, variances),
      gradient: (dy) => {
        const rates = Float64Array.from(Host.floats(dy), (d) => d * (2 / (n - 1)))
        return [
          Slices.linear(
            slices,
            rates,
            rates.map((rate, slice) => -rate * (means[slice] as number))
          )
        ]
      }
    }
  })(x)

/**
 * The mean magnitude and some standard deviations more.
 *
 * - formula:  `y = mean |x| + sigma * sqrt(var |x| + epsilon)`
 * - shapes:   `x [...d], sigma [] or one for each slice -> y []`, or one for each slice as a vector, or in place if `keepDims`
 * - gradient: through the mean and the variance into x; `dsigma = dy * sqrt(var |x| + epsilon)`
 * - errors:   none; NaN of fewer than two elements
 * - source:   Brevitas, core/stats/stats_op.py (MeanSigmaStd)
 *
 * @category statistic
 * @since 0.2.0
 */
export const meanSigmaStd = (
  x: tf.Tensor,
  sigma: tf.Tensor | number,
  epsilon: number,
  reduction: Slices.Reduction = {}
): tf.Tensor => {
  const flat = (y: tf.Tensor): tf.Tensor =>
    reduction.axis === undefined || reduction.keepDims ? y : tf.reshape(y, [y.size])
  const deviation = tf.sqrt(tf.add(flat(absVariance(x, reduction)), epsilon))
  return tf.add(flat(absMean(x, reduction)), tf.mul(deviation, sigma))
}
