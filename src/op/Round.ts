/**
 * Roundings, with the gradient of the identity and with none.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`. Laws: test/op/Round.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Float32 from "../tensor/Float32.ts"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"

type Formula = (x: tf.Tensor) => tf.Tensor

/** A function whose true slope is 0 almost everywhere, with the gradient of the identity. */
export const straightThrough = (f: Formula): Formula =>
  Gradient.customGradient((x: tf.Tensor) => ({ value: f(x), gradient: (dy) => [dy] }))

/** A function with the gradient 0, its true slope almost everywhere. */
export const flat = (f: Formula): Formula =>
  Gradient.customGradient((x: tf.Tensor) => ({ value: f(x), gradient: (dy) => [tf.zerosLike(dy)] }))

/** The cpu backend's own rounding answers +0 for -0.5; that of WASM is right. */
const rne: Formula = (x) => (tf.getBackend() === "cpu" ? Host.map(x, Float32.nearest) : tf.round(x))

const truncated: Formula = (x) =>
  Host.transform(x, (from, to) => {
    for (let i = 0; i < from.length; i++) to[i] = from[i] === 0 ? 0 : Math.trunc(from[i] as number)
  })

/** `Math.round` rounds ties up. */
const dpuRounded: Formula = (x) =>
  Host.transform(x, (from, to) => {
    for (let i = 0; i < from.length; i++) {
      const v = from[i] as number
      to[i] = v < 0 ? Math.round(v) : Float32.nearest(v)
    }
  })

/**
 * Rounds to the nearest whole number, a tie going to the even one.
 *
 * - formula:  `y = rne(x)`, zero with the sign of x
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy` (straight-through)
 * - errors:   none; NaN and infinities pass unchanged
 * - source:   Bengio, Leonard, Courville 2013, arXiv:1308.3432
 *
 * @category rounding
 * @since 0.1.0
 */
export const nearest: (x: tf.Tensor) => tf.Tensor = straightThrough(rne)

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
 * - formula:  `y = ceil(x)`, zero with the sign of x
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy` (straight-through)
 * - errors:   none; NaN and infinities pass unchanged
 * - source:   Bengio, Leonard, Courville 2013, arXiv:1308.3432
 *
 * @category rounding
 * @since 0.1.0
 */
export const ceil: (x: tf.Tensor) => tf.Tensor = straightThrough(tf.ceil)

/**
 * Rounds towards zero.
 *
 * - formula:  `y = sign(x) * floor(|x|)`, `sign(-0) = +0`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy` (straight-through)
 * - errors:   none; NaN and infinities pass unchanged
 * - source:   Brevitas, function/ops_ste.py (round_to_zero_ste)
 *
 * @category rounding
 * @since 0.2.0
 */
export const toZero: (x: tf.Tensor) => tf.Tensor = straightThrough(truncated)

/**
 * Rounds as AMD's DPU does: to nearest, a tie going up below zero and to the even number above it.
 *
 * - formula:  `y = ceil(x) if x < 0 and x - floor(x) = 1/2 else rne(x)`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy` (straight-through)
 * - errors:   none; NaN and infinities pass unchanged
 * - source:   Brevitas, function/ops_ste.py (dpu_round_ste)
 *
 * @category rounding
 * @since 0.2.0
 */
export const dpu: (x: tf.Tensor) => tf.Tensor = straightThrough(dpuRounded)

/**
 * Rounds towards zero, with the true gradient.
 *
 * - formula:  as `toZero`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = 0`
 * - errors:   none; NaN and infinities pass unchanged
 * - source:   Brevitas, function/ops.py (round_to_zero)
 *
 * @category rounding
 * @since 0.2.0
 */
export const toZeroFlat: (x: tf.Tensor) => tf.Tensor = flat(truncated)

/**
 * Rounds as AMD's DPU does, with the true gradient.
 *
 * - formula:  as `dpu`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = 0`
 * - errors:   none; NaN and infinities pass unchanged
 * - source:   Brevitas, function/ops.py (dpu_round)
 *
 * @category rounding
 * @since 0.2.0
 */
export const dpuFlat: (x: tf.Tensor) => tf.Tensor = flat(dpuRounded)
