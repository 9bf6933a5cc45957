/**
 * Clamps between tensors and numbers, and what their gradients see.
 *
 * Room: op (level 1). Imports: tfjs.
 */
import * as tf from "@tensorflow/tfjs-core"

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
export const between = (x: tf.Tensor, low: tf.Tensor, high: tf.Tensor): tf.Tensor =>
  tf.customGrad((...inputs) => {
    const [a, lo, hi] = inputs as unknown as [tf.Tensor, tf.Tensor, tf.Tensor, tf.GradSaveFunc]
    const save = inputs.at(-1) as unknown as tf.GradSaveFunc
    save([a, lo, hi])
    return {
      value: select(a, lo, hi),
      gradFunc: (dy: tf.Tensor, saved: Array<tf.Tensor>) => {
        const [input, bottom, top] = saved as [tf.Tensor, tf.Tensor, tf.Tensor]
        const over = tf.greater(input, top)
        const capped = tf.where(over, tf.add(top, tf.zerosLike(input)), input)
        const under = tf.less(capped, bottom)
        const none = tf.zerosLike(dy)
        const toHigh = tf.where(under, none, tf.where(over, dy, none))
        return [
          tf.where(tf.logicalOr(over, under), none, dy),
          unbroadcast(tf.where(under, dy, none), bottom.shape),
          unbroadcast(toHigh, top.shape)
        ]
      }
    }
  })(x, low, high)

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
  tf.customGrad((input) => ({
    value: select(input as tf.Tensor, low, high),
    gradFunc: (dy: tf.Tensor) => dy.clone()
  }))(x)

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
  return tf.customGrad((input) => {
    const a = input as tf.Tensor
    const small = tf.less(tf.abs(a), bound)
    const signed = tf.where(tf.greaterEqual(a, 0), tf.fill(a.shape, bound), tf.fill(a.shape, -bound))
    return { value: tf.where(small, signed, a), gradFunc: (dy: tf.Tensor) => dy.clone() }
  })(x)
}
