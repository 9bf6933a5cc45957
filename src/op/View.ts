/**
 * Views of a tensor: rows for statistics per channel, groups along an axis, and back.
 *
 * Room: op (level 1). Imports: tfjs.
 */
import * as tf from "@tensorflow/tfjs-core"

/**
 * All elements as a vector.
 *
 * - formula:  `y = x`
 * - shapes:   `x [...d] -> y [n]`
 * - gradient: `dx = dy`, re-indexed
 * - errors:   none
 * - source:   Brevitas, core/function_wrapper/shape.py (OverTensorView)
 *
 * @category view
 * @since 0.2.0
 */
export const overTensor = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [x.size])

/**
 * The leading axes kept, all others in one.
 *
 * - formula:  `y = x`
 * - shapes:   `x [d0, ..., d(kept-1), ...rest] -> y [d0, ..., d(kept-1), n]`
 * - gradient: `dx = dy`, re-indexed
 * - errors:   none
 * - source:   Brevitas, core/function_wrapper/shape.py (OverOutputChannelView, OverBatchOverOutputChannelView)
 *
 * @category view
 * @since 0.2.0
 */
export const overRows = (x: tf.Tensor, kept: number): tf.Tensor => {
  const front = x.shape.slice(0, kept)
  return tf.reshape(x, [...front, tf.util.sizeFromShape(x.shape.slice(kept))])
}

/**
 * The last axis kept, all others in one.
 *
 * - formula:  `y = x`
 * - shapes:   `x [...rest, d] -> y [n, d]`
 * - gradient: `dx = dy`, re-indexed
 * - errors:   none
 * - source:   Brevitas, core/function_wrapper/shape.py (OverOutputFeaturesView)
 *
 * @category view
 * @since 0.2.0
 */
export const overLast = (x: tf.Tensor): tf.Tensor =>
  tf.reshape(x, [tf.util.sizeFromShape(x.shape.slice(0, -1)), x.shape.at(-1) ?? 1])

/**
 * The axes in another order.
 *
 * - formula:  `y[i(dims[0]), i(dims[1]), ...] = x[i0, i1, ...]`
 * - shapes:   `x [...d] -> y [d(dims[0]), d(dims[1]), ...]`
 * - gradient: `dx = dy`, axes back in order
 * - errors:   none
 * - source:   Brevitas, core/function_wrapper/shape.py (PermuteDims)
 *
 * @category view
 * @since 0.2.0
 */
export const permute = (x: tf.Tensor, dims: ReadonlyArray<number>): tf.Tensor => tf.transpose(x, [...dims])

/**
 * Zeros at the end of an axis, up to a multiple of a size.
 *
 * - formula:  `y = x ++ 0 ... 0`
 * - shapes:   `x [..., d, ...] -> y [..., ceil(d / size) * size, ...]`
 * - gradient: `dx = dy` without the padding
 * - errors:   none
 * - source:   Brevitas, utils/torch_utils.py (padding_to_multiple)
 *
 * @category view
 * @since 0.2.0
 */
export const padToMultiple = (x: tf.Tensor, axis: number, size: number): tf.Tensor => {
  const missing = (size - ((x.shape[axis] as number) % size)) % size
  return missing === 0
    ? x
    : tf.pad(
        x,
        x.shape.map((_, i): [number, number] => [0, i === axis ? missing : 0])
      )
}

/**
 * Groups along an axis, the last one padded with zeros.
 *
 * - formula:  `y[..., g, i, ...] = x[..., g * size + i, ...]`
 * - shapes:   `x [..., d, ...] -> y [..., ceil(d / size), size, ...]`
 * - gradient: `dx = dy`, re-indexed, without the padding
 * - errors:   none
 * - source:   Brevitas, core/function_wrapper/shape.py (DynamicOverSubChannelBlockView)
 *
 * @category view
 * @since 0.2.0
 */
export const group = (x: tf.Tensor, size: number, axis: number): tf.Tensor => {
  const padded = padToMultiple(x, axis, size)
  return tf.reshape(padded, [
    ...padded.shape.slice(0, axis),
    (padded.shape[axis] as number) / size,
    size,
    ...padded.shape.slice(axis + 1)
  ])
}

/**
 * Groups merged back into their axis, padding cut off; what has one element for each group is repeated over it.
 *
 * - formula:  `y[..., g * size + i, ...] = x[..., g, i, ...]`
 * - shapes:   `x [..., g, size or 1, ...] -> y [...shape]`
 * - gradient: `dx = dy`, re-indexed; summed over what was repeated
 * - errors:   none
 * - source:   Brevitas, quant_tensor/groupwise_int_quant_tensor.py (expand)
 *
 * @category view
 * @since 0.2.0
 */
export const ungroup = (x: tf.Tensor, size: number, axis: number, shape: ReadonlyArray<number>): tf.Tensor => {
  if (x.rank <= shape.length) return x
  const inner = x.shape[axis + 1] as number
  const whole =
    inner === size
      ? x
      : tf.tile(
          x,
          x.shape.map((_, i) => (i === axis + 1 ? size : 1))
        )
  const merged = tf.reshape(whole, [
    ...x.shape.slice(0, axis),
    (x.shape[axis] as number) * size,
    ...x.shape.slice(axis + 2)
  ])
  return merged.shape[axis] === shape[axis]
    ? merged
    : tf.slice(
        merged,
        shape.map(() => 0),
        merged.shape.map((d, i) => (i === axis ? (shape[axis] as number) : d))
      )
}
