/**
 * Convolutions of sequences and of volumes, as convolutions of images: a sequence is an image one row high, and the window of a
 * volume along the depth is laid out as channels.
 *
 * Room: op (level 1). Imports: tfjs-core, `./Convolution.ts`, `./ConvolutionShape.ts`, `./Window.ts`. Laws: test/op/ConvolutionNd.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Convolution from "./Convolution.ts"
import * as ConvolutionShape from "./ConvolutionShape.ts"
import * as Window from "./Window.ts"

type Triple = readonly [number, number, number]

export interface Conv1dOptions {
  readonly stride: number
  readonly pad: "same" | "valid" | number | Window.Pair
  readonly dilation: number
  readonly groups?: number | undefined
}

/** Each triple is for the depth, the height and the width. */
export interface Conv3dOptions {
  readonly strides: Triple
  readonly pad: "same" | "valid" | number | readonly [Window.Pair, Window.Pair, Window.Pair]
  readonly dilations: Triple
  readonly groups?: number | undefined
}

const size = (x: tf.Tensor, axis: number): number => x.shape[axis] ?? 1

/** The padding of an image one row high. */
const rowPad = (pad: Conv1dOptions["pad"]): Window.Pad =>
  pad === "same" || pad === "valid" ? pad : [[0, 0], typeof pad === "number" ? [pad, pad] : pad]

/** Images one row high of sequences, or a filter one row high: an axis of size 1 before the one given. */
const raised = (x: tf.Tensor, axis: number): tf.Tensor => tf.expandDims(x, axis)

/**
 * A convolution of sequences.
 *
 * - formula:  `y[n,i,o] = b[o] + Σ_uc x[n, i s + u d - before, g ci/groups + c] w[u,c,o]`, with x = 0 outside
 * - shapes:   `x [n, w, ci], filter [k, ci / groups, co], bias [co] -> y [n, ow, co]`
 * - gradient: as `Convolution.conv2d`
 * - errors:   throws ShapeMismatch where the channels do not fit
 * - source:   Dumoulin and Visin 2016, arXiv:1603.07285
 *
 * @category convolution
 * @since 0.3.0
 */
export const conv1d = (
  x: tf.Tensor,
  filter: tf.Tensor,
  { stride, pad, dilation, groups = 1 }: Conv1dOptions,
  bias?: tf.Tensor | undefined
): tf.Tensor => {
  const operands = { what: "ConvolutionNd.conv1d", x, filter, bias, axes: 1, groups, transposed: false }
  const wrong = ConvolutionShape.misfit(operands)
  if (wrong !== undefined) throw wrong
  const options = { strides: [1, stride], pad: rowPad(pad), dilations: [1, dilation], groups } as const
  return tf.squeeze(Convolution.conv2d(raised(x, 1), raised(filter, 0), options, bias), [1])
}

// ---- volumes ------------------------------------------------------------------------------------------------

const pairs = (pad: Conv3dOptions["pad"]): readonly [depth: Window.Pad, image: Window.Pad] => {
  if (typeof pad === "string" || typeof pad === "number") {
    const depth: Window.Pad =
      typeof pad === "number"
        ? [
            [pad, pad],
            [0, 0]
          ]
        : pad
    return [depth, pad]
  }
  return [
    [pad[0], [0, 0]],
    [pad[1], pad[2]]
  ]
}

/** How windows lie along the depth. */
const depthOf = (input: number, kernel: number, { strides, pad, dilations }: Conv3dOptions): Window.Axis =>
  Window.geometry([input, 1], [kernel, 1], {
    strides: [strides[0], 1],
    pad: pairs(pad)[0],
    dilations: [dilations[0], 1]
  }).rows

/** How windows lie on each image of a volume. */
const imageOptions = ({ strides, pad, dilations, groups }: Conv3dOptions): Convolution.Conv2dOptions => ({
  strides: [strides[1], strides[2]],
  pad: pairs(pad)[1],
  dilations: [dilations[1], dilations[2]],
  groups
})

/** The images that each tap of the window along the depth meets: `[n, d, h, w, c] -> [n, output, h, w, c]` for each tap. */
const taps = (
  x: tf.Tensor,
  { output, kernel, stride, dilation, before, after }: Window.Axis
): ReadonlyArray<tf.Tensor> => {
  const around = { before: Math.max(0, before), after: Math.max(0, after) + stride }
  const padded = tf.pad(x, [
    [0, 0],
    [around.before, around.after],
    [0, 0],
    [0, 0],
    [0, 0]
  ])
  const [n, , h, w, c] = padded.shape as [number, number, number, number, number]
  return Array.from({ length: kernel }, (_, tap) => {
    const from = tap * dilation + around.before - before
    const run = tf.slice(padded, [0, from, 0, 0, 0], [n, output * stride, h, w, c])
    return stride === 1
      ? run
      : tf.reshape(tf.slice(tf.reshape(run, [n, output, stride, h * w * c]), [0, 0, 0, 0], [n, output, 1, h * w * c]), [
          n,
          output,
          h,
          w,
          c
        ])
  })
}

/** Taps as channels, group by group: `kernel` tensors `[n, o, h, w, c] -> [n o, h, w, groups (kernel, c / groups)]`. */
const asChannels = (all: ReadonlyArray<tf.Tensor>, groups: number): tf.Tensor => {
  const [n, o, h, w, c] = (all[0] as tf.Tensor).shape as [number, number, number, number, number]
  const each = all.map((x) => tf.reshape(x, [n * o, h, w, groups, c / groups]))
  return tf.reshape(tf.stack(each, 4), [n * o, h, w, all.length * c])
}

/** A filter for those channels: `[kd, kh, kw, c, o] -> [kh, kw, kd c, o]`. */
const filterOfChannels = (filter: tf.Tensor): tf.Tensor => {
  const [kd, kh, kw, c, o] = filter.shape as [number, number, number, number, number]
  return tf.reshape(tf.transpose(filter, [1, 2, 0, 3, 4]), [kh, kw, kd * c, o])
}

/**
 * A convolution of volumes.
 *
 * - formula:  `y[n,h,i,j,o] = b[o] + Σ_tuvc x[n, h s + t d - front, i s + u d - top, j s + v d - left, g ci/groups + c] w[t,u,v,c,o]`
 * - shapes:   `x [n, d, h, w, ci], filter [kd, kh, kw, ci / groups, co], bias [co] -> y [n, od, oh, ow, co]`
 * - gradient: as `Convolution.conv2d`
 * - errors:   throws ShapeMismatch where the channels do not fit
 * - source:   Dumoulin and Visin 2016, arXiv:1603.07285
 *
 * @category convolution
 * @since 0.3.0
 */
export const conv3d = (
  x: tf.Tensor,
  filter: tf.Tensor,
  options: Conv3dOptions,
  bias?: tf.Tensor | undefined
): tf.Tensor => {
  const { groups = 1 } = options
  const operands = { what: "ConvolutionNd.conv3d", x, filter, bias, axes: 3, groups, transposed: false }
  const wrong = ConvolutionShape.misfit(operands)
  if (wrong !== undefined) throw wrong
  const depth = depthOf(size(x, 1), size(filter, 0), options)
  const image = imageOptions(options)
  const { rows, columns } = Window.geometry([size(x, 2), size(x, 3)], [size(filter, 1), size(filter, 2)], image)
  const shape = [size(x, 0), depth.output, rows.output, columns.output, size(filter, 4)]
  if (x.size === 0 || filter.size === 0 || shape.includes(0)) return ConvolutionShape.vacant(shape, x, filter, bias)
  const y = Convolution.conv2d(asChannels(taps(x, depth), groups), filterOfChannels(filter), image, bias)
  return tf.reshape(y, shape)
}
