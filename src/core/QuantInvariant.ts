/**
 * Functions that leave every value on its grid: rectifiers and clips, pooling by maximum, and whatever only moves values about.
 *
 * Room: core (level 2). Imports: tfjs, effect's `Result`, `op`, `tensor`, the family of `./QuantTensor.ts`.
 * Laws: test/core/QuantTensorInvariant.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Result } from "effect"
import * as Clamp from "../op/Clamp.ts"
import * as Pool from "../op/Pool.ts"
import * as Relu from "../op/Relu.ts"
import * as Gradient from "../tensor/Gradient.ts"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import * as Grid from "./QuantGrid.ts"
import { around, dequantized, isQuantTensor, owned, type QuantTensor, same, shapeOf, type Value } from "./QuantValue.ts"

// ---- moving values ------------------------------------------------------------------------------------------

const fits = ({ scale, zeroPoint, bitWidth }: QuantTensor, { shape }: tf.Tensor): boolean =>
  [scale, zeroPoint, bitWidth].every((part) => part.size === 1 || Grid.fitsInto(part.shape, shape))

/**
 * A function that makes no new values, only picks and moves them: pooling by maximum, repeating neighbours, shuffling pixels. The
 * format stays if it fits the new shape; scales per channel stay right if `f` keeps to the channels.
 *
 * - formula:  `value = f(x)`, the format of x
 * - shapes:   those of `f`
 * - gradient: that of `f`
 * - errors:   none of its own; a plain tensor where a scale does not fit, and of groups
 * - source:   Brevitas, quant_tensor/torch_handler.py (quant-invariant functions)
 *
 * @category invariant
 * @since 0.3.0
 */
export const keeping = (x: Value, f: (value: tf.Tensor) => tf.Tensor): Value =>
  owned(() => {
    const [before, after] = [dequantized(x), f(dequantized(x))]
    const value = after === before ? same(after) : after
    return isQuantTensor(x) && x.grouped === undefined && fits(x, value) ? around(x, value) : value
  })

/**
 * The largest value of each window of an image.
 *
 * - formula:  `y[n,i,j,c] = max_uv x[n, i s + u, j s + v, c]` over places in the image
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`
 * - gradient: `dx = dy` where the largest value stood first
 * - errors:   `ShapeMismatch` where x is no batch of images; NaN passes
 * - source:   Brevitas, quant_tensor/torch_handler.py
 *
 * @category invariant
 * @since 0.3.0
 */
export const maxPool2d = (x: Value, options: Pool.Options): Result.Result<Value, ShapeMismatch> =>
  shapeOf(x).length === 4
    ? Result.succeed(keeping(x, (value) => Pool.maxPool2d(value, options)))
    : Result.fail(new ShapeMismatch({ what: "maxPool2d", expected: "[n, h, w, c]", actual: shapeOf(x) }))

// ---- clipping -----------------------------------------------------------------------------------------------

/** Within numbers; the gradient is 0 at the bounds, where PyTorch's rectifiers have it. */
const clipped = (low: number, high: number): ((x: tf.Tensor) => tf.Tensor) =>
  low === 0 && high === Number.POSITIVE_INFINITY
    ? Relu.relu
    : Gradient.customGradient((x: tf.Tensor) => ({
        value: high === Number.POSITIVE_INFINITY ? Clamp.notBelow(x, low) : Clamp.within(x, low, high),
        saved: [x],
        gradient: (dy, [input]: readonly [tf.Tensor]) => {
          // comparisons take ten times as long on WASM
          const inside = tf.mul(tf.step(tf.sub(input, low)), tf.step(tf.sub(high, input)))
          return [tf.mul(dy, inside)]
        }
      }))

/** Whether clipping at these numbers leaves all values on the grid. */
const leaves = (x: QuantTensor, low: number, high: number): boolean =>
  (Grid.beyond(x, low, "low") || Grid.contains(x, low)) && (Grid.beyond(x, high, "high") || Grid.contains(x, high))

/**
 * Values within two numbers. The format stays (its sign too) if both are values of it, or beyond its range; else the clipped values
 * would lie off the grid, and the answer is a plain tensor.
 *
 * - formula:  `y = min(max(x, low), high)`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy` where `low < x < high`, else 0
 * - errors:   none; NaN passes
 * - source:   Brevitas, quant_tensor/torch_handler.py (there the format stays anyway)
 *
 * @category invariant
 * @since 0.3.0
 */
export const clip = (x: Value, low: number, high: number): Value =>
  owned(() => {
    const value = clipped(low, high)(dequantized(x))
    if (!isQuantTensor(x) || x.grouped !== undefined || !leaves(x, low, high)) return value
    return around(x, value)
  })

/** `clip` at 0. */
export const relu = (x: Value): Value => clip(x, 0, Number.POSITIVE_INFINITY)
/** `clip` between 0 and 6. */
export const relu6 = (x: Value): Value => clip(x, 0, 6)
/** `clip`, by default between -1 and 1. */
export const hardTanh = (x: Value, low = -1, high = 1): Value => clip(x, low, high)
