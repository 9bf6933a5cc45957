/**
 * Roundings with straight-through gradients.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"

/** A function whose true slope is 0 almost everywhere, with the gradient of the identity. */
export const straightThrough = (f: (x: tf.Tensor) => tf.Tensor): ((x: tf.Tensor) => tf.Tensor) =>
  Gradient.customGradient((x: tf.Tensor) => ({ value: f(x), gradient: (dy) => [dy] }))

/**
 * Rounds to the nearest whole number, a tie going to the even one.
 *
 * - formula:  `y = rne(x)`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy` (straight-through)
 * - errors:   none; NaN and infinities pass unchanged
 * - source:   Bengio, Leonard, Courville 2013, arXiv:1308.3432
 *
 * @category rounding
 * @since 0.1.0
 */
export const nearest: (x: tf.Tensor) => tf.Tensor = straightThrough(tf.round)

/**
 * Rounds down.
 *
 * - formula:  `y = floor(x)`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy` (straight-through)
 * - errors:   none; NaN and infinities pass unchanged
 * - source:   Bengio, Leonard, Courville 2013, arXiv:1308.3432
 *
 * @category rounding
 * @since 0.1.0
 */
export const floor: (x: tf.Tensor) => tf.Tensor = straightThrough(tf.floor)

/**
 * Rounds up.
 *
 * - formula:  `y = ceil(x)`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy` (straight-through)
 * - errors:   none; NaN and infinities pass unchanged
 * - source:   Bengio, Leonard, Courville 2013, arXiv:1308.3432
 *
 * @category rounding
 * @since 0.1.0
 */
export const ceil: (x: tf.Tensor) => tf.Tensor = straightThrough(tf.ceil)
