/**
 * Signs and magnitudes.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`, `./Round.ts`. Laws: test/op/Sign.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"
import { flat, straightThrough } from "./Round.ts"

const upwards = (x: tf.Tensor): tf.Tensor =>
  Host.transform(x, (from, to) => {
    for (let i = 0; i < from.length; i++) to[i] = (from[i] as number) >= 0 ? 1 : -1
  })

/** `tf.sign` takes denormals for zeros on WASM. */
const withoutNaN = (x: tf.Tensor): tf.Tensor =>
  Host.transform(x, (from, to) => {
    for (let i = 0; i < from.length; i++) {
      const v = from[i] as number
      to[i] = v > 0 ? 1 : v < 0 ? -1 : 0
    }
  })

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
export const binary: (x: tf.Tensor) => tf.Tensor = straightThrough(upwards)

/**
 * The sign with zero counted as positive, with the true gradient.
 *
 * - formula:  `y = 1 if x >= 0 else -1`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = 0`
 * - errors:   none; NaN gives -1
 * - source:   Brevitas, function/ops.py (binary_sign)
 *
 * @category sign
 * @since 0.2.0
 */
export const binaryFlat: (x: tf.Tensor) => tf.Tensor = flat(upwards)

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

const absolute = (slope: (x: tf.Tensor) => tf.Tensor): ((x: tf.Tensor) => tf.Tensor) =>
  Gradient.customGradient((x: tf.Tensor) => ({
    value: tf.abs(x),
    saved: [x],
    gradient: (dy, [input]: readonly [tf.Tensor]) => [tf.mul(dy, slope(input))]
  }))

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
export const magnitude: (x: tf.Tensor) => tf.Tensor = absolute(withoutNaN)

/**
 * The absolute value, rising at zero: a learned value that begins at 0 can leave it.
 *
 * - formula:  `y = |x|`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy if x >= 0 else -dy`, for both zeros `dy`
 * - errors:   none; NaN passes
 * - source:   Brevitas, function/ops_ste.py (abs_binary_sign_grad)
 *
 * @category sign
 * @since 0.2.0
 */
export const magnitudeRising: (x: tf.Tensor) => tf.Tensor = absolute(upwards)
