/**
 * Losses: a number for how far outputs are from targets, the mean over the batch.
 *
 * Their gradients are written out, which is a few kernels on small tensors where a tape would run a dozen. The gradient is that of
 * the output; targets have none.
 *
 * Room: train (level 5). Imports: tfjs, `tensor`. Laws: test/train/Loss.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"

/** A scalar from the output of a model and what it should have been. */
export type Loss = (output: tf.Tensor, target: tf.Tensor) => tf.Tensor

// ---- targets ------------------------------------------------------------------------------------------------

/**
 * Labels as one row each: `on` in the label's column, `off` in the others, `labels [n] -> [n, classes]`. The row of a label outside
 * of `0 .. classes - 1` is not finite, so that no loss takes it for a valid one.
 *
 * @category targets
 * @since 0.3.0
 */
export const rows = (labels: tf.Tensor, classes: number, on = 1, off = 0): tf.Tensor =>
  tf.tidy(() => {
    const hot = tf.cast(tf.oneHot(tf.cast(labels, "int32") as tf.Tensor1D, classes), "float32")
    // 1 for a row with a label, 0/0 for a row without one
    const known = tf.sum(hot, 1, true)
    const whole = tf.div(known, known)
    return tf.mul(on === 1 && off === 0 ? hot : tf.add(tf.mul(hot, on - off), off), whole)
  })

/** Targets as they are, or one row of `on` and `off` for each label if they are labels. */
const spread = (output: tf.Tensor, target: tf.Tensor, on: number, off: number): tf.Tensor =>
  target.rank === output.rank - 1 && target.dtype === "int32"
    ? rows(target, output.shape[output.rank - 1] as number, on, off)
    : target

// ---- elementwise --------------------------------------------------------------------------------------------

/** The terms of a mean over all elements, and the slope of each. */
interface Terms {
  readonly terms: tf.Tensor
  readonly slopes: tf.Tensor
}

/** The mean over all elements of what `f` makes of each output and its target. */
const meanOf =
  (f: (output: tf.Tensor, target: tf.Tensor) => Terms) =>
  (output: tf.Tensor, target: tf.Tensor): tf.Tensor =>
    Gradient.customGradient((y: tf.Tensor) => {
      const { terms, slopes } = f(y, target)
      return {
        value: tf.mean(terms),
        saved: [slopes],
        gradient: (dy, [slopes]: readonly [tf.Tensor]) => [tf.mul(slopes, tf.div(dy, slopes.size))]
      }
    })(output)

/**
 * The mean of the squared differences.
 *
 * - formula:  `mean((y - t)^2)` over all elements
 * - shapes:   `y [...d], t [...d] -> []`
 * - gradient: `dy * 2 (y - t) / size`
 * - errors:   none; NaN gives NaN
 * - source:   PyTorch's `MSELoss`
 *
 * @category losses
 * @since 0.3.0
 */
export const meanSquaredError: Loss = meanOf((y, t) => {
  const off = tf.sub(y, t)
  return { terms: tf.square(off), slopes: tf.mul(off, 2) }
})

/**
 * The mean of the absolute differences.
 *
 * - formula:  `mean(|y - t|)` over all elements
 * - shapes:   `y [...d], t [...d] -> []`
 * - gradient: `dy * sign(y - t) / size`
 * - errors:   none; NaN gives NaN
 * - source:   PyTorch's `L1Loss`
 *
 * @category losses
 * @since 0.3.0
 */
export const meanAbsoluteError: Loss = meanOf((y, t) => {
  const off = tf.sub(y, t)
  return {
    terms: tf.abs(off),
    slopes: tf.sub(tf.cast(tf.greater(off, 0), "float32"), tf.cast(tf.less(off, 0), "float32"))
  }
})

/**
 * Quadratic near the target, linear beyond `delta`.
 *
 * - formula:  `mean(e^2 / 2 if |e| <= delta else delta (|e| - delta / 2))` with `e = y - t`, over all elements
 * - shapes:   `y [...d], t [...d] -> []`
 * - gradient: `dy * max(-delta, min(delta, e)) / size`
 * - errors:   none; NaN gives NaN
 * - source:   Huber 1964, Annals of Mathematical Statistics 35(1)
 *
 * @category losses
 * @since 0.3.0
 */
export const huber = (delta = 1): Loss =>
  meanOf((y, t) => {
    const off = tf.sub(y, t)
    const far = tf.greater(tf.abs(off), delta)
    const sides = tf.mul(tf.sub(tf.cast(tf.greater(off, 0), "float32"), tf.cast(tf.less(off, 0), "float32")), delta)
    return {
      terms: tf.where(far, tf.sub(tf.mul(tf.abs(off), delta), delta ** 2 / 2), tf.mul(tf.square(off), 0.5)),
      slopes: tf.where(far, sides, off)
    }
  })

/**
 * How far outputs are from being on the right side of 0 with a distance of 1. Targets are +1 and -1, or labels: then +1 for the
 * class and -1 for all others.
 *
 * - formula:  `mean(max(0, 1 - y t)^2)` over all elements
 * - shapes:   `y [...d], t [...d] -> []`, or labels `t [n]` as int32 for `y [n, classes]`
 * - gradient: `dy * -2 t max(0, 1 - y t) / size`
 * - errors:   none; NaN gives NaN, a label that is no class a number that is not finite
 * - source:   Brevitas, bnn_pynq's `SqrHingeLoss`
 *
 * @category losses
 * @since 0.3.0
 */
export const squaredHinge: Loss = meanOf((y, target) => {
  const t = spread(y, target, 1, -1)
  const margin = tf.sub(1, tf.mul(y, t))
  // a product, since a comparison says false to NaN and a ReLU may make 0 of it
  const short = tf.mul(margin, tf.cast(tf.greater(margin, 0), "float32"))
  return { terms: tf.square(short), slopes: tf.mul(tf.mul(short, t), -2) }
})

/**
 * Each output as the logit of a yes or no of its own; targets are probabilities from 0 to 1.
 *
 * - formula:  `mean(log(1 + exp(y)) - y t)`, that is `-t log s - (1 - t) log(1 - s)` with `s = sigmoid(y)`, over all elements
 * - shapes:   `y [...d], t [...d] -> []`
 * - gradient: `dy * (sigmoid(y) - t) / size`
 * - errors:   none; NaN gives NaN
 * - source:   PyTorch's `BCEWithLogitsLoss`
 *
 * @category losses
 * @since 0.3.0
 */
export const binaryCrossEntropy: Loss = meanOf((y, t) => {
  // log(1 + exp(y)) = y if y > 0, plus log(1 + exp(-|y|)), which cannot overflow
  const upper = tf.mul(y, tf.cast(tf.greater(y, 0), "float32"))
  const softplus = tf.add(upper, tf.log1p(tf.exp(tf.neg(tf.abs(y)))))
  return { terms: tf.sub(softplus, tf.mul(y, t)), slopes: tf.sub(tf.sigmoid(y), t) }
})

// ---- classes ------------------------------------------------------------------------------------------------

export interface CrossEntropyOptions {
  /** how much of the target is spread evenly over all classes, from 0 to 1; default: 0 */
  readonly labelSmoothing?: number
}

/**
 * The mean over the batch of `-log softmax(logits)[label]`. With label smoothing `e` the target is `1 - e` of the label and `e` of all
 * classes evenly.
 *
 * - formula:  `mean_i -sum_c t_ic log softmax(y_i)_c` with `t = (1 - e) onehot(label) + e / classes`
 * - shapes:   `logits [n, classes]`, labels `[n]` as int32 or probabilities `[n, classes]`, `-> []`
 * - gradient: `dy * (softmax(y) - t) / n` (of probabilities: `softmax(y) * sum_c t_c - t`)
 * - errors:   none; NaN gives NaN, a label that is no class a number that is not finite
 * - source:   PyTorch's `CrossEntropyLoss`; label smoothing: Szegedy et al. 2016, arXiv:1512.00567
 *
 * @category losses
 * @since 0.3.0
 */
export const crossEntropy = (
  logits: tf.Tensor,
  target: tf.Tensor,
  { labelSmoothing: smoothing = 0 }: CrossEntropyOptions = {}
): tf.Tensor =>
  Gradient.customGradient((y: tf.Tensor) => {
    const [n, classes] = y.shape as [number, number]
    const plain = spread(y, target, 1, 0)
    const wanted = smoothing === 0 ? plain : tf.add(tf.mul(plain, 1 - smoothing), smoothing / classes)
    const shifted = tf.sub(y, tf.max(y, 1, true))
    const logs = tf.sub(shifted, tf.log(tf.sum(tf.exp(shifted), 1, true)))
    const losses = tf.mul(wanted, logs)
    const mass = target.rank === y.rank ? tf.sum(wanted, 1, true) : undefined
    const soft = tf.exp(logs)
    const slopes = tf.sub(mass === undefined ? soft : tf.mul(soft, mass), wanted)
    return {
      value: tf.div(tf.sum(losses), -n),
      saved: [slopes],
      gradient: (dy, [slopes]: readonly [tf.Tensor]) => [tf.mul(slopes, tf.div(dy, n))]
    }
  })(logits)

/**
 * `crossEntropy` with options, as a loss to hand to a training.
 *
 * @category losses
 * @since 0.3.0
 */
export const smoothedCrossEntropy =
  (labelSmoothing: number): Loss =>
  (logits, target) =>
    crossEntropy(logits, target, { labelSmoothing })
