/**
 * Signs with straight-through gradients.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`, `./Round.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import { straightThrough } from "./Round.ts"

/**
 * The sign with zero counted as positive.
 *
 * - formula:  `y = 1 if x >= 0 else -1`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy` (straight-through)
 * - errors:   none; NaN gives -1
 * - source:   Courbariaux et al. 2016, arXiv:1602.02830
 *
 * @category sign
 * @since 0.1.0
 */
export const binary: (x: tf.Tensor) => tf.Tensor = straightThrough((x) =>
  tf.sub(tf.mul(tf.cast(tf.greaterEqual(x, 0), "float32"), 2), 1)
)

const withoutNaN = (x: tf.Tensor): tf.Tensor =>
  tf.sub(tf.cast(tf.greater(x, 0), "float32"), tf.cast(tf.less(x, 0), "float32"))

/**
 * The sign with zero of its own.
 *
 * - formula:  `y = 1 if x > 0, -1 if x < 0, else 0`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy` (straight-through)
 * - errors:   none; NaN gives 0
 * - source:   Li, Zhang, Liu 2016, arXiv:1605.04711
 *
 * @category sign
 * @since 0.1.0
 */
export const ternary: (x: tf.Tensor) => tf.Tensor = straightThrough(withoutNaN)

/**
 * The absolute value, flat at zero.
 *
 * - formula:  `y = |x|`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy * sign(x)`, `sign(0) = 0` (tfjs's own gives -1 there)
 * - errors:   none; NaN passes
 * - source:   PyTorch's abs
 *
 * @category sign
 * @since 0.1.0
 */
export const magnitude: (x: tf.Tensor) => tf.Tensor = Gradient.customGradient((x: tf.Tensor) => ({
  value: tf.abs(x),
  saved: [x],
  gradient: (dy, [input]: readonly [tf.Tensor]) => [tf.mul(dy, withoutNaN(input))]
}))
