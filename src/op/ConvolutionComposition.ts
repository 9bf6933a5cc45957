/**
 * The definition of convolution in standard ops, with gradients made of forward convolutions: the WASM backend of tfjs has no kernel
 * for the gradient of the filter, and a slow one for the gradient of the input.
 *
 * Room: op (level 1). Imports: tfjs-core, `tensor`, `op`. Laws: test/op/Convolution.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Linalg from "./Linalg.ts"
import * as Window from "./Window.ts"

type Axis = Window.Axis

// ---- the definition -----------------------------------------------------------------------------------------

/** How windows lie, and how many groups of channels there are, none of which meets another one. */
export interface Options extends Window.Lie {
  readonly groups: number
}

/**
 * Convolution, group by group.
 *
 * - formula:  as `Convolution.conv2d`
 * - shapes:   `x [n, h, w, ci], filter [kh, kw, ci / groups, co] -> y [n, oh, ow, co]`
 * - gradient: as `Convolution.conv2d`
 * - errors:   none of its own; tfjs throws where the channels differ
 * - source:   Dumoulin and Visin 2016, arXiv:1603.07285; gradient at a stride by phases: Shi et al. 2016, arXiv:1609.07009
 *
 * @category convolution
 * @since 0.3.0
 */
export const composition = (x: tf.Tensor, filter: tf.Tensor, options: Options): tf.Tensor => {
  const { strides, dilations, groups } = options
  // tfjs refuses strides together with dilations; a filter with the zeros written out does the same.
  if (Math.max(...strides) > 1 && Math.max(...dilations) > 1)
    return composition(x, dilated(filter, dilations), { ...options, dilations: [1, 1] })
  const at = Window.geometry([size(x, 1), size(x, 2)], [size(filter, 0), size(filter, 1)], options)
  const one = convolution(at)
  if (groups === 1) return one(x, filter)
  const images = tf.split(x, groups, 3)
  return tf.concat(
    tf.split(filter, groups, 3).map((filter, group) => one(images[group] as tf.Tensor, filter)),
    3
  )
}

const convolution = (at: Window.Geometry): ((x: tf.Tensor, filter: tf.Tensor) => tf.Tensor) =>
  Gradient.bilinear({
    value: (x, filter) => correlate(x, filter, at.rows, at.columns),
    left: (dy, filter) => inputGradient(dy, filter, at),
    right: (dy, x) => filterGradient(dy, x, at)
  })

// ---- its parts ----------------------------------------------------------------------------------------------

type Around = Pick<Axis, "stride" | "dilation" | "before" | "after">

/** A forward convolution; zeros to add below 0 are rows and columns to cut off, which may leave none. */
const correlate = (x: tf.Tensor, filter: tf.Tensor, rows: Around, columns: Around): tf.Tensor => {
  const image = cut(x, rows, columns)
  const output = (axis: 0 | 1, { stride, dilation, before, after }: Around): number => {
    const whole = size(x, axis + 1) + before + after
    return Math.floor((whole - (size(filter, axis) - 1) * dilation - 1) / stride) + 1
  }
  if (image.size === 0) return tf.zeros([size(x, 0), output(0, rows), output(1, columns), size(filter, 3)])
  return tf.conv2d(
    image as tf.Tensor4D,
    filter as tf.Tensor4D,
    [rows.stride, columns.stride],
    [
      [0, 0],
      [Math.max(0, rows.before), Math.max(0, rows.after)],
      [Math.max(0, columns.before), Math.max(0, columns.after)],
      [0, 0]
    ],
    "NHWC",
    [rows.dilation, columns.dilation]
  )
}

const cut = (
  x: tf.Tensor,
  rows: Pick<Axis, "before" | "after">,
  columns: Pick<Axis, "before" | "after">
): tf.Tensor => {
  const [top, bottom, left, right] = [rows.before, rows.after, columns.before, columns.after].map((n) =>
    Math.max(0, -n)
  ) as [number, number, number, number]
  if (top + bottom + left + right === 0) return x
  const [tall, wide] = [size(x, 1) - top - bottom, size(x, 2) - left - right]
  return tall <= 0 || wide <= 0
    ? tf.zeros([size(x, 0), 0, 0, size(x, 3)])
    : tf.slice(x, [0, top, left, 0], [size(x, 0), tall, wide, size(x, 3)])
}

/** `dy` is the filter, the channels of `x` are the batch, strides and dilations change places. */
const filterGradient = (dy: tf.Tensor, x: tf.Tensor, { rows, columns }: Window.Geometry): tf.Tensor => {
  const exchanged = ({ input, output, kernel, stride, dilation, before }: Axis) => ({
    stride: dilation,
    dilation: stride,
    before,
    after: (output - 1) * stride + (kernel - 1) * dilation + 1 - input - before
  })
  const images = tf.transpose(x, [3, 1, 2, 0])
  const filters = tf.transpose(dy, [1, 2, 0, 3])
  return tf.transpose(correlate(images, filters, exchanged(rows), exchanged(columns)), [1, 2, 0, 3])
}

/**
 * The rows of `dx` fall into as many phases as the stride: row `q s + r` meets only the taps of the filter that lie `s` apart. Each
 * phase is a convolution of `dy` with these taps, flipped; all are computed at once, as channels, and then put side by side.
 */
const inputGradient = (dy: tf.Tensor, filter: tf.Tensor, { rows, columns }: Window.Geometry): tf.Tensor => {
  const [n, ci, co] = [size(dy, 0), size(filter, 2), size(filter, 3)]
  const [v, h] = [phases(rows), phases(columns)]
  const taps = tf.reshape(tf.pad(filter, [v.zeros, h.zeros, [0, 0], [0, 0]]), [
    v.taps,
    v.count,
    h.taps,
    h.count,
    ci,
    co
  ])
  const flipped = tf.reshape(tf.transpose(tf.reverse(taps, [0, 2]), [0, 2, 5, 1, 3, 4]), [
    v.taps,
    h.taps,
    co,
    v.count * h.count * ci
  ])
  const coarse = correlate(dy, flipped, v, h)
  if (v.count * h.count === 1) return coarse
  const side = tf.transpose(tf.reshape(coarse, [n * v.size, h.size, v.count, h.count * ci]), [0, 2, 1, 3])
  const whole = tf.reshape(side, [n, v.size * v.count, h.size * h.count, ci])
  const surplus = ({ count, size }: Phases, { input }: Axis) => ({ before: 0, after: input - size * count })
  return cut(whole, surplus(v, rows), surplus(h, columns))
}

interface Phases {
  readonly count: number
  /** Rows in one phase of `dx`. */
  readonly size: number
  /** Taps in one phase of the filter, and the zeros that make its length a multiple of the stride. */
  readonly taps: number
  readonly zeros: [number, number]
  /** How `dy` is convolved with them. */
  readonly stride: 1
  readonly dilation: number
  readonly before: number
  readonly after: number
}

const phases = ({ input, output, kernel, stride, dilation, before }: Axis): Phases => {
  const shift = Math.ceil(before / stride)
  const lead = shift * stride - before
  const taps = Math.ceil((lead + kernel) / stride)
  const span = (taps - 1) * dilation + 1
  const size = Math.ceil(input / stride)
  const ahead = span - 1 - shift
  return {
    count: stride,
    size,
    taps,
    zeros: [lead, taps * stride - kernel - lead],
    stride: 1,
    dilation,
    before: ahead,
    after: size + span - 1 - output - ahead
  }
}

/** The filter with zeros between its taps: a product with a matrix that says where each tap goes. */
const dilated = (filter: tf.Tensor, [down, across]: Window.Pair): tf.Tensor => {
  const [kh, kw, ci, co] = [size(filter, 0), size(filter, 1), size(filter, 2), size(filter, 3)]
  const [height, width] = [(kh - 1) * down + 1, (kw - 1) * across + 1]
  const places = Array.from({ length: height * width }, (_, to) =>
    Array.from({ length: kh * kw }, (_, from) =>
      to === Math.floor(from / kw) * down * width + (from % kw) * across ? 1 : 0
    )
  )
  const spread = Linalg.matMul(tf.tensor2d(places), tf.reshape(filter, [kh * kw, ci * co]))
  return tf.reshape(spread, [height, width, ci, co])
}

const size = (x: tf.Tensor, axis: number): number => x.shape[axis] ?? 1
