/**
 * Batch normalization: the statistics of channels, and values brought to mean 0 and variance 1 with them.
 *
 * Room: op (level 1). Imports: tfjs-core, `tensor`, `./Linalg.ts`. Laws: test/op/BatchNorm.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Linalg from "./Linalg.ts"

/** Of each channel, which is the last axis. */
export interface Moments {
  readonly mean: tf.Tensor
  /** the mean square deviation, divided by the number of values */
  readonly variance: tf.Tensor
}

/** Not -1: of nothing that would be ambiguous. */
const rowsOf = (x: tf.Tensor): tf.Tensor => {
  const { shape } = x
  return tf.reshape(x, [shape.slice(0, -1).reduce((a, b) => a * b, 1), shape.at(-1) as number])
}

/** The mean of each column. */
const columnMeans = (x: tf.Tensor): tf.Tensor => tf.div(Linalg.columnSums(x), x.shape[0] as number)

/**
 * Mean and variance of each channel.
 *
 * - formula:  `mean_c = sum x_c / n`, `variance_c = sum (x_c - mean_c)^2 / n`
 * - shapes:   `x [...d, c] -> mean, variance [c]`
 * - gradient: as written
 * - errors:   none; NaN where there are no values
 * - source:   Ioffe and Szegedy 2015, arXiv:1502.03167
 *
 * @category normalization
 * @since 0.3.0
 */
export const moments = (x: tf.Tensor): Moments => {
  const rows = rowsOf(x)
  const mean = columnMeans(rows)
  return { mean, variance: columnMeans(tf.square(tf.sub(rows, mean))) }
}

/**
 * Normalizes with the statistics of the values themselves, as in training.
 *
 * - formula:  `y = (x - mean) / sqrt(variance + eps) * scale + offset`
 * - shapes:   `x [...d, c], scale, offset [c] -> y [...d, c]`
 * - gradient: with `h = (x - mean) / sqrt(variance + eps)` and means over the n values of a channel:
 *             `dx = scale / sqrt(variance + eps) (dy - mean(dy) - h mean(dy h))`, `dscale = sum dy h`, `doffset = sum dy`
 * - errors:   none
 * - source:   Ioffe and Szegedy 2015, arXiv:1502.03167
 *
 * @category normalization
 * @since 0.3.0
 */
export const byBatch = (
  x: tf.Tensor,
  { mean, variance }: Moments,
  scale: tf.Tensor,
  offset: tf.Tensor,
  epsilon: number
): tf.Tensor => {
  const { shape } = x
  return Gradient.customGradient((x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) => {
    const inverse = tf.rsqrt(tf.add(variance, epsilon))
    const normal = tf.mul(tf.sub(rowsOf(x), mean), inverse)
    return {
      value: tf.reshape(tf.add(tf.mul(normal, scale), offset), shape),
      saved: [normal, inverse, scale],
      gradient: (dy, [normal, inverse, scale]: readonly [tf.Tensor, tf.Tensor, tf.Tensor]) => {
        const rows = rowsOf(dy)
        const count = rows.shape[0] as number
        const [sums, products] = [Linalg.columnSums(rows), Linalg.columnSums(tf.mul(rows, normal))]
        const centred = tf.sub(tf.sub(rows, tf.div(sums, count)), tf.mul(normal, tf.div(products, count)))
        return [tf.reshape(tf.mul(centred, tf.mul(inverse, scale)), shape), products, sums]
      }
    }
  })(x, scale, offset)
}

/**
 * Scale and offset that do what normalizing with given statistics does: a batch normalization in evaluation as one affine map.
 *
 * - formula:  `weight = scale / sqrt(variance + eps)`, `bias = offset - mean * weight`
 * - shapes:   `all [c] -> weight, bias [c]`
 * - gradient: as written
 * - errors:   none
 * - source:   Jacob et al. 2018, arXiv:1712.05877, section 3.2
 *
 * @category normalization
 * @since 0.3.0
 */
export const affine = (
  { mean, variance }: Moments,
  scale: tf.Tensor,
  offset: tf.Tensor,
  epsilon: number
): { readonly weight: tf.Tensor; readonly bias: tf.Tensor } => {
  const weight = tf.div(scale, tf.sqrt(tf.add(variance, epsilon)))
  return { weight, bias: tf.sub(offset, tf.mul(mean, weight)) }
}
