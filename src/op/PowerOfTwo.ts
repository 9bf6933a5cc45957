/**
 * Powers of two and binary logarithms, exact where the result is: the same bits on every backend.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`. Laws: test/op/PowerOfTwo.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Float32 from "../tensor/Float32.ts"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"

/**
 * A power of two.
 *
 * - formula:  `y = 2^x`, exact for whole x
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy * y * ln 2`
 * - errors:   none; NaN passes
 * - source:   Brevitas, core/function_wrapper/misc.py (PowerOfTwo)
 *
 * @category power of two
 * @since 0.2.0
 */
export const exp2: (x: tf.Tensor) => tf.Tensor = Gradient.customGradient((x: tf.Tensor) => {
  const value = Host.map(x, Float32.exp2)
  return {
    value,
    saved: [value],
    gradient: (dy, [y]: readonly [tf.Tensor]) => [tf.mul(tf.mul(dy, y), Math.LN2)]
  }
})

/**
 * The binary logarithm, rounded to float32 before anything else looks at it.
 *
 * - formula:  `y = log2(x)`, exact for powers of two; just below one the nearest float32 may be the whole number itself
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy / (x * ln 2)`
 * - errors:   none; NaN for x < 0, -inf for 0
 * - source:   Brevitas, core/function_wrapper/misc.py (LogTwo)
 *
 * @category power of two
 * @since 0.2.0
 */
export const log2: (x: tf.Tensor) => tf.Tensor = Gradient.customGradient((x: tf.Tensor) => ({
  value: Host.map(x, Float32.log2),
  saved: [x],
  gradient: (dy, [input]: readonly [tf.Tensor]) => [tf.div(dy, tf.mul(input, Math.LN2))]
}))
