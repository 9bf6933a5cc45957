/**
 * Powers of two and binary logarithms, exact where the result is: the same bits on every backend.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`, `./Round.ts`. Laws: test/op/PowerOfTwo.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Float32 from "../tensor/Float32.ts"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"
import * as Round from "./Round.ts"

/** Roundings of a logarithm, in the order of their numbers in the kernels. */
const roundings = ["nearest", "floor", "ceil"] as const
/** A rounding of a logarithm: to the nearest (ties to even), down, up. */
export type Rounding = (typeof roundings)[number]
const rounds = { nearest: Round.nearest, floor: Round.floor, ceil: Round.ceil }

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

/**
 * A power of two near a number: in one pass where the backend has breve's kernels.
 *
 * - formula:  `y = 2^round(log2 x)`, the logarithm rounded to float32 before it is rounded to a whole number
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy * y * ln 2 / (x * ln 2)` (straight through the rounding)
 * - errors:   none; NaN for x < 0, 0 for 0
 * - source:   Brevitas, core/restrict_val.py (PowerOfTwoRestrictValue)
 *
 * @category power of two
 * @since 0.3.0
 */
export const near = (x: tf.Tensor, rounding: Rounding): tf.Tensor =>
  x.dtype === "float32" && tf.getKernel("BrevePowerOfTwo", tf.getBackend()) !== undefined
    ? fused(x, rounding)
    : composition(x, rounding)

/**
 * The definition of `near`, in other ops.
 *
 * - formula:  `y = 2^round(log2 x)`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: of each op
 * - errors:   none; NaN for x < 0, 0 for 0
 * - source:   Brevitas, core/restrict_val.py (PowerOfTwoRestrictValue)
 *
 * @category power of two
 * @since 0.3.0
 */
export const composition = (x: tf.Tensor, rounding: Rounding): tf.Tensor => exp2(rounds[rounding](log2(x)))

const fused = (x: tf.Tensor, rounding: Rounding): tf.Tensor =>
  Gradient.customGradient((x: tf.Tensor) => {
    const attrs = { rounding: roundings.indexOf(rounding) }
    const value = tf.engine().runKernel("BrevePowerOfTwo", { x }, attrs) as tf.Tensor
    return {
      value,
      saved: [x, value],
      gradient: (dy, [x, y]: readonly [tf.Tensor, tf.Tensor]) => [
        tf.div(tf.mul(tf.mul(dy, y), Math.LN2), tf.mul(x, Math.LN2))
      ]
    }
  })(x)
