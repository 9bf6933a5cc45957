/**
 * Rounding by chance.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Random from "../tensor/Random.ts"

const drawn = (x: tf.Tensor, random: Random.Random): tf.Tensor => {
  const from = x.dataSync()
  const n = from.length
  const high = Random.uniform(Random.split(random, "high"), n, 0, 1)
  const low = Random.uniform(Random.split(random, "low"), n, 0, 1)
  const to = new Float32Array(n)
  for (let i = 0; i < n; i++) {
    const value = from[i] as number
    const floor = Math.floor(value)
    // 48 random bits, for fractions far below 2^-24
    to[i] = (high[i] as number) + (low[i] as number) * 2 ** -24 < value - floor ? floor + 1 : floor
  }
  return tf.tensor(to, x.shape, "float32")
}

/**
 * Rounds up with the probability of the fraction, else down, so that the mean is x.
 *
 * - formula:  `y = floor(x) + (u < x - floor(x))`, u uniform in [0, 1), a multiple of 2^-48
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy` (straight-through)
 * - errors:   none; NaN and infinities pass unchanged
 * - source:   Gupta et al. 2015, arXiv:1502.02551
 *
 * @category rounding
 * @since 0.2.0
 */
export const stochastic = (x: tf.Tensor, random: Random.Random): tf.Tensor =>
  Gradient.customGradient((input: tf.Tensor) => ({ value: drawn(input, random), gradient: (dy) => [dy] }))(x)
