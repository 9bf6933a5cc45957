/**
 * Arithmetic of quant tensors, with plain tensors and numbers too: what stays on a grid answers a quant tensor, everything else a
 * plain one. Both operands of a sum must have the same scale, in training as in evaluation.
 *
 * Room: core (level 2). Imports: tfjs, effect's `Result`, `op`, `tensor`, the family of `./QuantTensor.ts`.
 * Laws: test/core/QuantTensorArithmetic.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Result } from "effect"
import { exp2 } from "../op/PowerOfTwo.ts"
import * as Sign from "../op/Sign.ts"
import * as Host from "../tensor/Host.ts"
import type { ShapeMismatch } from "../tensor/LayerErrors.ts"
import type { ScaleMismatch, UnsupportedZeroPoint } from "../tensor/QuantTensorErrors.ts"
import { bothIntegral, plain, scaleMismatch, shapeMismatch, zeroPointOf } from "./QuantScale.ts"
import {
  around,
  dequantized,
  isIntegral,
  isQuantTensor,
  madeOf,
  make,
  map,
  type Operand,
  owned,
  type QuantTensor,
  same,
  type Value
} from "./QuantValue.ts"
import * as Width from "./QuantWidth.ts"

// ---- sums ---------------------------------------------------------------------------------------------------

/** Half of each scale, which are the same: both get their share of the gradient. */
const common = (a: QuantTensor, b: QuantTensor): tf.Tensor => tf.div(tf.add(a.scale, b.scale), 2)

/** What a result of two operands has of both. */
const either = (operation: string, a: QuantTensor, b: QuantTensor) => ({
  signed: a.signed || b.signed,
  training: a.training || b.training,
  origin: madeOf(operation, a, b)
})

/** Integers that stay as they are, with a zero-point that moves the value by a plain tensor or number. */
const shifted = (operation: string, x: QuantTensor, by: tf.Tensor | number): QuantTensor =>
  owned(() => ({
    ...around(x, tf.add(x.value, by)),
    zeroPoint: tf.sub(x.zeroPoint, tf.div(by, x.scale)),
    origin: madeOf(operation, x)
  }))

/**
 * The sum of two values. Integers add up to integers, so do their zero-points; a plain tensor or number moves the zero-point of an
 * integer value and leaves its integers. Minifloats and groups give a plain tensor.
 *
 * - formula:  `value = a + b; scale = (s_a + s_b) / 2; zeroPoint = z_a + z_b`, or `z_a - b / s_a` with a plain `b`
 * - shapes:   `a, b broadcast to [...d] -> y [...d]`
 * - gradient: `da = db = dy`; half of `dscale` to each scale, all of it to the one that there is
 * - errors:   `ScaleMismatch` where scales differ by more than 1e-5 of their size, `ShapeMismatch`; NaN passes
 * - source:   Brevitas, quant_tensor/int_quant_tensor.py (there different scales are averaged in training)
 *
 * @category arithmetic
 * @since 0.3.0
 */
export const add = (a: Operand, b: Operand): Result.Result<Value, ScaleMismatch | ShapeMismatch> => {
  const wrong = shapeMismatch("add", a, b)
  if (wrong !== undefined) return Result.fail(wrong)
  const both = bothIntegral(a, b)
  if (both !== undefined) return added(...both)
  if (isIntegral(a) && !isQuantTensor(b)) return Result.succeed(shifted("add", a, b))
  if (isIntegral(b) && !isQuantTensor(a)) return Result.succeed(shifted("add", b, a))
  return Result.succeed(owned(() => tf.add(plain(a), plain(b))))
}

const added = (a: QuantTensor, b: QuantTensor): Result.Result<QuantTensor, ScaleMismatch> => {
  const mismatch = scaleMismatch("add", a, b)
  return mismatch !== undefined
    ? Result.fail(mismatch)
    : Result.succeed(
        owned(() =>
          make({
            value: tf.add(a.value, b.value),
            scale: common(a, b),
            zeroPoint: tf.add(a.zeroPoint, b.zeroPoint),
            bitWidth: Width.sumBitWidth(a, b),
            ...either("add", a, b)
          })
        )
      )
}

/**
 * The difference of two values, by the rules of `add`; of integers it is signed.
 *
 * - formula:  `value = a - b; scale = (s_a + s_b) / 2; zeroPoint = z_a - z_b`, or `z_a + b / s_a` with a plain `b`
 * - shapes:   `a, b broadcast to [...d] -> y [...d]`
 * - gradient: `da = dy, db = -dy`; half of `dscale` to each scale, all of it to the one that there is
 * - errors:   `ScaleMismatch` where scales differ by more than 1e-5 of their size, `ShapeMismatch`; NaN passes
 * - source:   Brevitas, quant_tensor/int_quant_tensor.py (there different scales are averaged in training)
 *
 * @category arithmetic
 * @since 0.3.0
 */
export const sub = (a: Operand, b: Operand): Result.Result<Value, ScaleMismatch | ShapeMismatch> => {
  const wrong = shapeMismatch("sub", a, b)
  if (wrong !== undefined) return Result.fail(wrong)
  const both = bothIntegral(a, b)
  if (both !== undefined) return subtracted(...both)
  if (isIntegral(a) && !isQuantTensor(b))
    return Result.succeed(owned(() => shifted("sub", a, typeof b === "number" ? -b : tf.neg(b))))
  if (isIntegral(b) && !isQuantTensor(a)) return Result.succeed(owned(() => shifted("sub", neg(b), a)))
  return Result.succeed(owned(() => tf.sub(plain(a), plain(b))))
}

const subtracted = (a: QuantTensor, b: QuantTensor): Result.Result<QuantTensor, ScaleMismatch> => {
  const mismatch = scaleMismatch("sub", a, b)
  return mismatch !== undefined
    ? Result.fail(mismatch)
    : Result.succeed(
        owned(() =>
          make({
            value: tf.sub(a.value, b.value),
            scale: common(a, b),
            zeroPoint: tf.sub(a.zeroPoint, b.zeroPoint),
            bitWidth: Width.differenceBitWidth(a, b),
            ...either("sub", a, b),
            signed: true
          })
        )
      )
}

// ---- one operand --------------------------------------------------------------------------------------------

/**
 * The negative of a value: of its integers and of its zero-point, with a bit more because the lowest integer has no opposite.
 *
 * - formula:  `value = -x; int = -int_x; zeroPoint = -z_x`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = -dy`, `dscale` to the scale
 * - errors:   none; NaN passes
 * - source:   Brevitas, quant_tensor/int_quant_tensor.py (there the zero-point keeps its sign, and the width stays)
 *
 * @category arithmetic
 * @since 0.3.0
 */
export const neg = <V extends Value>(x: V): V => (isQuantTensor(x) ? negated(x) : tf.neg(x as tf.Tensor)) as V

const negated = (x: QuantTensor): QuantTensor =>
  owned(() => {
    const { float, grouped } = x
    const opposite = map(x, same)
    return {
      ...opposite,
      value: tf.neg(x.value),
      zeroPoint: tf.neg(x.zeroPoint),
      bitWidth: float === undefined ? Width.negativeBitWidth(x) : opposite.bitWidth,
      grouped: grouped && {
        ...grouped,
        value: tf.neg(grouped.value),
        scale: same(grouped.scale),
        zeroPoint: tf.neg(grouped.zeroPoint)
      },
      signed: true,
      origin: madeOf("neg", x)
    }
  })

/**
 * The magnitude of a value, unsigned: the distance of its integers from their zero-point. A zero-point between two integers, as a
 * plain tensor added to a quantized one makes it, gives a plain tensor, and so do groups of integers.
 *
 * - formula:  `value = |x|; int = |int_x - z_x|; zeroPoint = 0`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy sign(x)`, 0 at 0; `dscale` to the scale
 * - errors:   none; NaN passes
 * - source:   Brevitas, quant_tensor/int_quant_tensor.py (there the zero-point stays, and the width is one bit less)
 *
 * @category arithmetic
 * @since 0.3.0
 */
export const abs = (x: Value): Value =>
  owned((): Value => {
    const value = Sign.magnitude(dequantized(x))
    if (!isQuantTensor(x)) return value
    const origin = madeOf("abs", x)
    if (x.float !== undefined) {
      const mine = map(x, same)
      const grouped = mine.grouped && { ...mine.grouped, value: Sign.magnitude(mine.grouped.value) }
      return { ...mine, value, grouped, signed: false, origin }
    }
    const zeroPoints = [...Host.floats(x.zeroPoint)]
    if (x.grouped !== undefined || !zeroPoints.every(Number.isInteger)) return value
    return {
      ...around(x, value),
      zeroPoint: tf.zerosLike(x.zeroPoint),
      bitWidth: Width.distanceBitWidth(x, zeroPoints),
      signed: false,
      origin
    }
  })

// ---- products -----------------------------------------------------------------------------------------------

/** Two integer values through `f`; what is not quantized, minifloats and groups through `otherwise`. */
const scaled = (
  operation: string,
  a: Operand,
  b: Operand,
  f: (a: QuantTensor, b: QuantTensor) => Pick<QuantTensor, "value" | "scale" | "bitWidth">,
  otherwise: (a: tf.Tensor | number, b: tf.Tensor | number) => tf.Tensor
): Result.Result<Value, UnsupportedZeroPoint | ShapeMismatch> => {
  const wrong = shapeMismatch(operation, a, b)
  if (wrong !== undefined) return Result.fail(wrong)
  const both = bothIntegral(a, b)
  if (both === undefined) return Result.succeed(owned(() => otherwise(plain(a), plain(b))))
  const shifting = zeroPointOf(operation, ...both)
  if (shifting !== undefined) return Result.fail(shifting)
  return Result.succeed(owned(() => make({ ...f(...both), zeroPoint: tf.scalar(0), ...either(operation, ...both) })))
}

/**
 * The product of two values, element by element; scales multiply, widths add up. Quantized only if both are integers.
 *
 * - formula:  `value = a b; scale = s_a s_b; int = int_a int_b`
 * - shapes:   `a, b broadcast to [...d] -> y [...d]`
 * - gradient: `da = dy b, db = dy a`; `ds_a = dscale s_b, ds_b = dscale s_a`
 * - errors:   `UnsupportedZeroPoint` where an integer operand has one, `ShapeMismatch`; NaN passes
 * - source:   Brevitas, quant_tensor/int_quant_tensor.py
 *
 * @category arithmetic
 * @since 0.3.0
 */
export const mul = (a: Operand, b: Operand): Result.Result<Value, UnsupportedZeroPoint | ShapeMismatch> =>
  scaled(
    "mul",
    a,
    b,
    (a, b) => ({
      value: tf.mul(a.value, b.value),
      scale: tf.mul(a.scale, b.scale),
      bitWidth: Width.productBitWidth(a, b)
    }),
    tf.mul
  )

/**
 * The quotient of two values, element by element. Of integers it says what grid it would be put on; a quotient lies on no grid in
 * general, so that `isValid` tells mostly false.
 *
 * - formula:  `value = a / b; scale = s_a / (s_b 2^n)`, n the width of b, less one if it is signed
 * - shapes:   `a, b broadcast to [...d] -> y [...d]`
 * - gradient: `da = dy / b, db = -dy a / b^2`; `ds_a = dscale scale / s_a, ds_b = -dscale scale / s_b`
 * - errors:   `UnsupportedZeroPoint` where an integer operand has one, `ShapeMismatch`; infinite or NaN for b = 0
 * - source:   Brevitas, quant_tensor/int_quant_tensor.py
 *
 * @category arithmetic
 * @since 0.3.0
 */
export const div = (a: Operand, b: Operand): Result.Result<Value, UnsupportedZeroPoint | ShapeMismatch> =>
  scaled(
    "div",
    a,
    b,
    (a, b) => ({
      value: tf.div(a.value, b.value),
      scale: tf.div(a.scale, tf.mul(b.scale, exp2(tf.sub(b.bitWidth, b.signed ? 1 : 0)))),
      bitWidth: Width.productBitWidth(a, b)
    }),
    tf.div
  )
