/**
 * Transposed convolution: what maps the gradient of a convolution's output to that of its input, as an operation of its own. It is
 * a convolution with the flipped filter over the image with zeros between its elements.
 *
 * Room: op (level 1). Imports: tfjs-core, `./Convolution.ts`, `./ConvolutionNd.ts`, `./ConvolutionShape.ts`. Laws: test/op/ConvolutionTransposed.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Convolution from "./Convolution.ts"
import * as ConvolutionNd from "./ConvolutionNd.ts"
import * as ConvolutionShape from "./ConvolutionShape.ts"
import type { Pair } from "./Window.ts"

/** For each axis of the image: one number, or one for each axis; the padding is that of the convolution that it transposes. */
export interface Options {
  readonly strides: ReadonlyArray<number>
  /** what that convolution adds before and after */
  readonly pad: ReadonlyArray<Pair>
  /** how many elements more than needed there are at the end */
  readonly outputPadding: ReadonlyArray<number>
  readonly dilations: ReadonlyArray<number>
  readonly groups?: number | undefined
}

const at = <A>(all: ReadonlyArray<A>, axis: number): A => all[axis] as A

/** Zeros between the elements of an axis: `[a, b] -> [a, 0, b]` at a stride of 2. */
const spaced = (x: tf.Tensor, axis: number, stride: number): tf.Tensor => {
  if (stride === 1) return x
  const { shape } = x
  const [before, size, after] = [shape.slice(0, axis), shape[axis] ?? 0, shape.slice(axis + 1)]
  const outer = before.reduce((a, b) => a * b, 1)
  const inner = after.reduce((a, b) => a * b, 1)
  const apart = tf.pad(tf.reshape(x, [outer, size, 1, inner]), [
    [0, 0],
    [0, 0],
    [0, stride - 1],
    [0, 0]
  ])
  const wide = tf.slice(
    tf.reshape(apart, [outer, size * stride, inner]),
    [0, 0, 0],
    [outer, (size - 1) * stride + 1, inner]
  )
  return tf.reshape(wide, [...before, (size - 1) * stride + 1, ...after])
}

/** The filter of the convolution: flipped, inputs and outputs exchanged within each group. `[...k, co / g, ci] -> [...k, ci / g, co]` */
const exchanged = (filter: tf.Tensor, groups: number): tf.Tensor => {
  const axes = filter.rank - 2
  const kernel = filter.shape.slice(0, axes)
  const [inner, ci] = [filter.shape[axes] ?? 1, filter.shape[axes + 1] ?? 1]
  const spatial = Array.from({ length: axes }, (_, axis) => axis)
  const apart = tf.reshape(tf.reverse(filter, spatial), [...kernel, inner, groups, ci / groups])
  return tf.reshape(tf.transpose(apart, [...spatial, axes + 2, axes + 1, axes]), [
    ...kernel,
    ci / groups,
    groups * inner
  ])
}

const resultOf = (x: tf.Tensor, filter: tf.Tensor, options: Options): ReadonlyArray<number> => {
  const { strides, pad, outputPadding, dilations, groups = 1 } = options
  const image = pad.map(([before, after], axis) => {
    const reach = ((filter.shape[axis] ?? 1) - 1) * at(dilations, axis)
    const steps = ((x.shape[axis + 1] ?? 1) - 1) * at(strides, axis)
    return Math.max(0, steps - before - after + reach + 1 + at(outputPadding, axis))
  })
  return [x.shape[0] ?? 0, ...image, (filter.shape.at(-2) ?? 0) * groups]
}

/** What the convolution adds around the spaced image. */
const around = (filter: tf.Tensor, { pad, outputPadding, dilations }: Options): ReadonlyArray<Pair> =>
  pad.map(([before, after], axis) => {
    const reach = ((filter.shape[axis] ?? 1) - 1) * at(dilations, axis)
    return [reach - before, reach - after + at(outputPadding, axis)] as const
  })

/**
 * A transposed convolution of sequences, images or volumes.
 *
 * - formula:  `y[n, i s + u d - before, o] = b[o] + sum x[n, i, c] w[u, o, c]`, for each axis of the image alike
 * - shapes:   `x [n, ...image, ci], filter [...kernel, co / groups, ci], bias [co] -> y [n, ...out, co]`,
 *             `out = (image - 1) s - before - after + (k - 1) d + 1 + outputPadding`, at least 0
 * - gradient: `dx` is the convolution of `dy`; `dw[u,o,c] = sum x[n,i,c] dy[n, i s + u d - before, o]`; `db = sum dy`
 * - errors:   throws ShapeMismatch where the channels do not fit; a filter's NaN and infinities spread to more than their places, for
 *             they meet the zeros in between
 * - source:   Dumoulin and Visin 2016, arXiv:1603.07285
 *
 * @category convolution
 * @since 0.3.0
 */
export const convTranspose = (
  x: tf.Tensor,
  filter: tf.Tensor,
  options: Options,
  bias?: tf.Tensor | undefined
): tf.Tensor => {
  const { strides, dilations, groups = 1 } = options
  const axes = strides.length
  const operands = { what: "ConvolutionTransposed.convTranspose", x, filter, bias, axes, groups, transposed: true }
  const wrong = ConvolutionShape.misfit(operands)
  if (wrong !== undefined) throw wrong
  const shape = resultOf(x, filter, options)
  if (x.size === 0 || filter.size === 0 || shape.includes(0)) return ConvolutionShape.vacant(shape, x, filter, bias)
  const image = strides.reduce((y, stride, axis) => spaced(y, axis + 1, stride), x)
  const kernel = exchanged(filter, groups)
  const pad = around(filter, options)
  if (strides.length === 1)
    return ConvolutionNd.conv1d(image, kernel, { stride: 1, pad: at(pad, 0), dilation: at(dilations, 0), groups }, bias)
  if (strides.length === 2) {
    const lie = {
      strides: [1, 1],
      pad: [at(pad, 0), at(pad, 1)],
      dilations: [at(dilations, 0), at(dilations, 1)]
    } as const
    return Convolution.conv2d(image, kernel, { ...lie, groups }, bias)
  }
  const lie = {
    strides: [1, 1, 1],
    pad: [at(pad, 0), at(pad, 1), at(pad, 2)],
    dilations: [at(dilations, 0), at(dilations, 1), at(dilations, 2)]
  } as const
  return ConvolutionNd.conv3d(image, kernel, { ...lie, groups }, bias)
}
