/**
 * Views of a tensor: rows for statistics per channel, groups along an axis, and back.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"
import * as Slices from "../tensor/Slices.ts"

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
export const overTensor = (x: tf.Tensor): tf.Tensor => Gradient.reshaped(x, [x.size])

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
  return Gradient.reshaped(x, [...front, tf.util.sizeFromShape(x.shape.slice(kept))])
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
  Gradient.reshaped(x, [tf.util.sizeFromShape(x.shape.slice(0, -1)), x.shape.at(-1) ?? 1])

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
export const permute = (x: tf.Tensor, dims: ReadonlyArray<number>): tf.Tensor =>
  dims.every((dim, i) => dim === i) ? x : tf.transpose(x, [...dims])

/**
 * An axis made longer with zeros, or cut: at its end.
 *
 * - formula:  `y[..., i, ...] = x[..., i, ...] if i < d else 0`
 * - shapes:   `x [..., d, ...] -> y [..., size, ...]`
 * - gradient: `dx` is `dy` cut, or made longer with zeros
 * - errors:   none
 * - source:   PyTorch's pad
 *
 * @category view
 * @since 0.2.0
 */
export const resize = (x: tf.Tensor, axis: number, size: number): tf.Tensor =>
  x.shape[axis] === size
    ? x
    : Gradient.customGradient((x: tf.Tensor) => ({
        value: resized(x, axis, size),
        gradient: (dy) => [resized(dy, axis, x.shape[axis] as number)]
      }))(x)

/** By a kernel of the backend, if it has it. */
const along = (name: string, x: tf.Tensor, axis: number, size: number): tf.Tensor | undefined =>
  x.dtype === "float32" && tf.getKernel(name, tf.getBackend()) !== undefined
    ? (tf.engine().runKernel(name, { x }, { axis, size }) as tf.Tensor)
    : undefined

const resized = (x: tf.Tensor, axis: number, size: number): tf.Tensor =>
  along("BreveResize", x, axis, size) ?? resizedOnHost(x, axis, size)

/** Row after row on the host: the kernels of pad and slice are slower. */
const resizedOnHost = (x: tf.Tensor, axis: number, size: number): tf.Tensor => {
  const inner = tf.util.sizeFromShape(x.shape.slice(axis + 1))
  const [before, after] = [(x.shape[axis] as number) * inner, size * inner]
  const kept = Math.min(before, after)
  const from = Host.floats(x)
  const to = new Float32Array(tf.util.sizeFromShape(x.shape.slice(0, axis)) * after)
  for (let i = 0, j = 0; j < to.length; i += before, j += after) to.set(from.subarray(i, i + kept), j)
  return tf.tensor(
    to,
    x.shape.map((d, i) => (i === axis ? size : d)),
    "float32"
  )
}

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
export const padToMultiple = (x: tf.Tensor, dim: number, size: number): tf.Tensor => {
  const axis = Slices.axisOf(dim, x.rank)
  return resize(x, axis, Math.ceil((x.shape[axis] as number) / size) * size)
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
export const group = (x: tf.Tensor, size: number, dim: number): tf.Tensor => {
  const axis = Slices.axisOf(dim, x.rank)
  const padded = padToMultiple(x, axis, size)
  return Gradient.reshaped(padded, [
    ...padded.shape.slice(0, axis),
    (padded.shape[axis] as number) / size,
    size,
    ...padded.shape.slice(axis + 1)
  ])
}

/**
 * One element for all of a new extent of its axis.
 *
 * - formula:  `y[..., i, ...] = x[..., 0, ...]`
 * - shapes:   `x [..., 1, ...] -> y [..., size, ...]`
 * - gradient: `dx = sum dy` along the axis
 * - errors:   none
 * - source:   PyTorch's expand
 *
 * @category view
 * @since 0.2.0
 */
export const repeat = (x: tf.Tensor, axis: number, size: number): tf.Tensor =>
  Gradient.customGradient((x: tf.Tensor) => ({
    value: repeated(x, axis, size),
    gradient: (dy) => {
      const slices = Slices.of(dy, { axis, keepDims: true })
      return [Slices.tensor(slices, Slices.sum(slices))]
    }
  }))(x)

const repeated = (x: tf.Tensor, axis: number, size: number): tf.Tensor =>
  along("BreveRepeat", x, axis, size) ?? repeatedOnHost(x, axis, size)

const repeatedOnHost = (x: tf.Tensor, axis: number, size: number): tf.Tensor => {
  const inner = tf.util.sizeFromShape(x.shape.slice(axis + 1))
  const from = Host.floats(x)
  const to = new Float32Array(from.length * size)
  for (let i = 0; i < from.length; i += inner) {
    const end = (i + inner) * size
    if (inner === 1) to.fill(from[i] as number, i * size, end)
    else for (let j = i * size; j < end; j += inner) to.set(from.subarray(i, i + inner), j)
  }
  return tf.tensor(
    to,
    x.shape.map((d, i) => (i === axis ? size : d)),
    "float32"
  )
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
export const ungroup = (x: tf.Tensor, size: number, dim: number, shape: ReadonlyArray<number>): tf.Tensor => {
  if (x.rank <= shape.length) return x
  const axis = Slices.axisOf(dim, shape.length)
  const whole = x.shape[axis + 1] === size ? x : repeat(x, axis + 1, size)
  const joined = Gradient.reshaped(whole, [
    ...x.shape.slice(0, axis),
    (x.shape[axis] as number) * size,
    ...x.shape.slice(axis + 2)
  ])
  return resize(joined, axis, shape[axis] as number)
}
