/**
 * Clamps between tensors and numbers, and what their gradients see.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`, `./Round.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import { straightThrough } from "./Round.ts"

/** Sums a gradient over the axes along which `shape` was broadcast. */
const unbroadcast = (dy: tf.Tensor, shape: ReadonlyArray<number>): tf.Tensor => {
  const padded = [...Array.from({ length: dy.rank - shape.length }, () => 1), ...shape]
  const axes = padded.flatMap((size, axis) => (size === 1 && dy.shape[axis] !== 1 ? [axis] : []))
  return tf.reshape(axes.length === 0 ? dy : tf.sum(dy, axes, true), [...shape])
}

const select = (x: tf.Tensor, low: tf.Tensor, high: tf.Tensor): tf.Tensor => {
  const below = tf.where(tf.greater(x, high), tf.add(high, tf.zerosLike(x)), x)
  return tf.where(tf.less(below, low), tf.add(low, tf.zerosLike(x)), below)
}

/**
 * Clamps between two tensors; the gradient goes to whichever of the three was selected.
 *
 * - formula:  `u = high if x > high else x; y = low if u < low else u`
 * - shapes:   `x [...d], low, high broadcast to [...d] -> y [...d]`
 * - gradient: by selection, to x, low or high (summed over broadcast axes); a value equal to a bound counts as x
 * - errors:   none; NaN passes
 * - source:   Brevitas, function/ops.py (tensor_clamp)
 *
 * @category clamp
 * @since 0.1.0
 */
export const between: (x: tf.Tensor, low: tf.Tensor, high: tf.Tensor) => tf.Tensor = Gradient.customGradient(
  (x: tf.Tensor, low: tf.Tensor, high: tf.Tensor) => ({
    value: select(x, low, high),
    saved: [x, low, high],
    gradient: (dy, [input, bottom, top]: readonly [tf.Tensor, tf.Tensor, tf.Tensor]) => {
      const over = tf.greater(input, top)
      const under = tf.less(tf.where(over, tf.add(top, tf.zerosLike(input)), input), bottom)
      const none = tf.zerosLike(dy)
      return [
        tf.where(tf.logicalOr(over, under), none, dy),
        unbroadcast(tf.where(under, dy, none), bottom.shape),
        unbroadcast(tf.where(under, none, tf.where(over, dy, none)), top.shape)
      ]
    }
  })
)

/**
 * Clamps between two tensors with the gradient of the identity.
 *
 * - formula:  as `between`
 * - shapes:   `x [...d], low, high broadcast to [...d] -> y [...d]`
 * - gradient: `dx = dy`; nothing to the bounds
 * - errors:   none; NaN passes
 * - source:   Brevitas, function/ops_ste.py (tensor_clamp_ste)
 *
 * @category clamp
 * @since 0.1.0
 */
export const betweenStraightThrough = (x: tf.Tensor, low: tf.Tensor, high: tf.Tensor): tf.Tensor =>
  straightThrough((input) => select(input, low, high))(x)

/**
 * Keeps a magnitude from falling below a bound, with the gradient of the identity.
 *
 * - formula:  `y = sgn(x) * max(|x|, |min|)`, `sgn(0) = 1`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy` everywhere
 * - errors:   none; NaN passes
 * - source:   Brevitas, function/ops_ste.py (scalar_signed_clamp_min_ste)
 *
 * @category clamp
 * @since 0.1.0
 */
export const atLeast = (x: tf.Tensor, min: number): tf.Tensor => {
  const bound = Math.abs(min)
  return straightThrough((input) => {
    const signed = tf.where(tf.greaterEqual(input, 0), tf.fill(input.shape, bound), tf.fill(input.shape, -bound))
    return tf.where(tf.less(tf.abs(input), bound), signed, input)
  })(x)
}
