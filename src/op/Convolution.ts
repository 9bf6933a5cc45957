/**
 * Convolution, with gradients made of forward convolutions: the WASM backend has no kernel for the gradient of the filter, and a
 * slow one for the gradient of the input.
 *
 * Room: op (level 1). Imports: tfjs-core, `tensor`, `op`. Laws: test/op/Convolution.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Linalg from "./Linalg.ts"

// ---- model --------------------------------------------------------------------------------------------------

type Pair = readonly [number, number]

/** Zeros around an image: as many as keep `ceil(size / stride)`, none, the same on all sides, or [[top, bottom], [left, right]]. */
export type Pad = "same" | "valid" | number | readonly [Pair, Pair]

/** Each pair is for the height and the width. */
export interface Conv2dOptions {
  readonly strides: Pair
  readonly pad: Pad
  readonly dilations: Pair
}

/** A convolution along one axis: the sizes, and the zeros before and after. */
interface Axis {
  readonly input: number
  readonly output: number
  readonly kernel: number
  readonly stride: number
  readonly dilation: number
  readonly before: number
  readonly after: number
}

/** Both axes, and the channels. */
interface Geometry {
  readonly rows: Axis
  readonly columns: Axis
}

// ---- operations ---------------------------------------------------------------------------------------------

/**
 * A convolution of images (without flipping the filter, as everywhere in machine learning). The gradient of `x` is skipped if
 * nothing asks for it. Strides and dilations may both be above 1.
 *
 * - formula:  `y[n,i,j,o] = Σ_uvc x[n, i s + u d - top, j s + v d - left, c] w[u,v,c,o]`, with x = 0 outside
 * - shapes:   `x [n, h, w, ci], filter [kh, kw, ci, co] -> y [n, oh, ow, co]`, `oh = floor((h + top + bottom - (kh-1) d - 1) / s) + 1`
 * - gradient: `dx[n,p,q,c] = Σ dy[n,i,j,o] w[u,v,c,o]` over `p = i s + u d - top`, `q = j s + v d - left`; `dw[u,v,c,o] = Σ_nij x dy` likewise
 * - errors:   none of its own; tfjs throws where the channels differ
 * - source:   Dumoulin and Visin 2016, arXiv:1603.07285; gradient at a stride by phases: Shi et al. 2016, arXiv:1609.07009
 *
 * @category convolution
 * @since 0.1.0
 */
export const conv2d = (x: tf.Tensor, filter: tf.Tensor, options: Conv2dOptions): tf.Tensor => {
  const { strides, dilations, pad } = options
  // tfjs refuses strides together with dilations; a filter with the zeros written out does the same.
  return Math.max(...strides) > 1 && Math.max(...dilations) > 1
    ? conv2d(x, dilated(filter, dilations), { strides, pad, dilations: [1, 1] })
    : convolution(geometry(x, filter, options))(x, filter)
}

const convolution = (at: Geometry): ((x: tf.Tensor, filter: tf.Tensor) => tf.Tensor) =>
  Gradient.bilinear({
    value: (x, filter) => correlate(x, filter, at.rows, at.columns),
    left: (dy, filter) => inputGradient(dy, filter, at),
    right: (dy, x) => filterGradient(dy, x, at)
  })

/** The zeros before and after, in numbers; tfjs itself takes the height of the filter for its width where `pad` is a number. */
const geometry = (x: tf.Tensor, filter: tf.Tensor, { strides, dilations, pad }: Conv2dOptions): Geometry => {
  const along = (axis: 0 | 1): Axis => {
    const [input, kernel, stride, dilation] = [size(x, axis + 1), size(filter, axis), strides[axis], dilations[axis]]
    const span = (kernel - 1) * dilation + 1
    const missing = pad === "same" ? Math.max(0, (Math.ceil(input / stride) - 1) * stride + span - input) : 0
    const [before, after] =
      pad === "same"
        ? [Math.floor(missing / 2), Math.ceil(missing / 2)]
        : pad === "valid"
          ? [0, 0]
          : typeof pad === "number"
            ? [pad, pad]
            : pad[axis]
    const output = Math.floor((input + before + after - span) / stride) + 1
    return { input, output, kernel, stride, dilation, before, after }
  }
  return { rows: along(0), columns: along(1) }
}

/** A forward convolution; zeros to add below 0 are rows and columns to cut off. */
const correlate = (
  x: tf.Tensor,
  filter: tf.Tensor,
  rows: Pick<Axis, "stride" | "dilation" | "before" | "after">,
  columns: Pick<Axis, "stride" | "dilation" | "before" | "after">
): tf.Tensor =>
  tf.conv2d(
    cut(x, rows, columns) as tf.Tensor4D,
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

const cut = (
  x: tf.Tensor,
  rows: Pick<Axis, "before" | "after">,
  columns: Pick<Axis, "before" | "after">
): tf.Tensor => {
  const [top, bottom, left, right] = [rows.before, rows.after, columns.before, columns.after].map((n) =>
    Math.max(0, -n)
  ) as [number, number, number, number]
  return top + bottom + left + right === 0
    ? x
    : tf.slice(x, [0, top, left, 0], [size(x, 0), size(x, 1) - top - bottom, size(x, 2) - left - right, size(x, 3)])
}

/** `dy` is the filter, the channels of `x` are the batch, strides and dilations change places. */
const filterGradient = (dy: tf.Tensor, x: tf.Tensor, { rows, columns }: Geometry): tf.Tensor => {
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
const inputGradient = (dy: tf.Tensor, filter: tf.Tensor, { rows, columns }: Geometry): tf.Tensor => {
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
const dilated = (filter: tf.Tensor, [down, across]: Pair): tf.Tensor => {
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
