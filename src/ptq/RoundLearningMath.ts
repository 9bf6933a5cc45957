/**
 * Losses of learned rounding, and the samples that an iteration looks at.
 *
 * Room: ptq (level 5). Imports: tfjs, `core` types, `tensor`. Laws: test/ptq/RoundLearning.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Random from "../tensor/Random.ts"

/** What a loss is computed of. */
export interface Iteration {
  /** what the block answers with its weights rounded as is being learned */
  readonly output: tf.Tensor
  /** what it answers in floats */
  readonly target: tf.Tensor
  /** how far up each weight is rounded, 0 to 1; for roundings that have it */
  readonly upward: ReadonlyArray<tf.Tensor>
  /** from 1 */
  readonly iteration: number
  readonly iterations: number
}

/** A loss of learned rounding, from what one iteration computes. */
export type Loss = (about: Iteration) => tf.Tensor

export interface RegularizedOptions {
  /** how much the regulariser counts; default: 0.01 */
  readonly weight?: number
  /** the exponent at first and at last: large ones leave what lies between 0 and 1 in peace; default: [20, 2] */
  readonly exponents?: readonly [from: number, to: number]
  /** for which part of the iterations there is no regulariser; default: 0.2 */
  readonly warmup?: number
  /** for which part of the iterations after these the exponent stays; default: 0 */
  readonly decayStart?: number
}

/**
 * The mean squared difference to the float network.
 *
 * - formula:  `mean (y - t)^2`
 * - shapes:   `output, target [...d] -> []`
 * - gradient: as written
 * - errors:   none
 * - source:   Cheng et al. 2023, arXiv:2309.05516
 *
 * @category losses
 * @since 0.4.0
 */
export const squared: Loss = ({ output, target }) => tf.mean(tf.square(tf.sub(output, target)))

/**
 * The exponent of the regulariser at an iteration.
 *
 * - formula:  `from` before the part `warmup + (1 - warmup) decayStart` of the iterations, then linearly to `to`
 * - shapes:   none
 * - gradient: none
 * - errors:   none
 * - source:   Nagel et al. 2020, arXiv:2004.10568; Brevitas, learned_round_method.py (LinearTempDecay)
 *
 * @category losses
 * @since 0.4.0
 */
export const exponentAt = (iteration: number, iterations: number, options: RegularizedOptions = {}): number => {
  const { exponents: [from, to] = [20, 2], warmup = 0.2, decayStart = 0 } = options
  const start = (warmup + (1 - warmup) * decayStart) * iterations
  if (iteration < start) return from
  const done = iterations === start ? 1 : (iteration - start) / (iterations - start)
  return to + (from - to) * Math.max(0, 1 - done)
}

/**
 * How undecided roundings are: 0 where all are up or down.
 *
 * - formula:  `sum 1 - |2 h - 1|^b`
 * - shapes:   `h [...d] -> []`
 * - gradient: as written
 * - errors:   none
 * - source:   Nagel et al. 2020, arXiv:2004.10568, equation (24)
 *
 * @category losses
 * @since 0.4.0
 */
export const undecided = (h: tf.Tensor, exponent: number): tf.Tensor =>
  tf.sum(tf.sub(1, tf.pow(tf.mul(tf.abs(tf.sub(h, 0.5)), 2), exponent)))

/**
 * AdaRound's loss: the squared difference, summed over channels, and a regulariser that makes roundings decide, from a warm-up on.
 *
 * - formula:  `mean (sum_channels (y - t)^2) + weight sum (1 - |2 h - 1|^b)`, b as `exponentAt`
 * - shapes:   `output, target [n, ...d, channels], h [...w] -> []`
 * - gradient: as written
 * - errors:   none
 * - source:   Nagel et al. 2020, arXiv:2004.10568; Brevitas, learned_round_method.py (RegularisedMSELoss)
 *
 * @category losses
 * @since 0.4.0
 */
export const regularized =
  (options: RegularizedOptions = {}): Loss =>
  ({ output, target, upward, iteration, iterations }) => {
    const { weight = 0.01, warmup = 0.2 } = options
    const loss = tf.mean(tf.sum(tf.square(tf.sub(output, target)), -1))
    if (iteration < iterations * warmup || upward.length === 0) return loss
    const exponent = exponentAt(iteration, iterations, options)
    const all = upward.map((h) => undecided(h, exponent)).reduce((a, b) => tf.add(a, b))
    return tf.add(loss, tf.mul(all, weight))
  }

/** Which of n samples an iteration looks at: all in order if so many are asked for, else some drawn without repetition. */
export const sample = (random: Random.Random, n: number, size: number): Int32Array =>
  size >= n
    ? Int32Array.from({ length: n }, (_, i) => i)
    : Int32Array.from(Random.permutation(random, n).subarray(0, size))
