/**
 * Convolution of images: with breve's kernels where the backend has them (`backend/Kernels.ts`), elsewhere as the composition of
 * standard ops, which is the definition.
 *
 * Room: op (level 1). Imports: tfjs-core, `tensor`, `op`. Laws: test/op/Convolution.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import { composition, type Options } from "./ConvolutionComposition.ts"
import * as ConvolutionShape from "./ConvolutionShape.ts"
import * as Linalg from "./Linalg.ts"
import * as Window from "./Window.ts"

export type { Pad } from "./Window.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** Each pair is for the height and the width. */
export interface Conv2dOptions extends Window.Lie {
  /** into how many groups the channels are divided, none of which meets another one; default: 1 */
  readonly groups?: number | undefined
}

// ---- kernels ------------------------------------------------------------------------------------------------

/** What a kernel has to know beside its tensors. */
type Attributes = Readonly<Record<"rows" | "columns" | "output", Array<number>>>

const attributes = ({ rows, columns }: Window.Geometry, groups: number): Attributes => ({
  rows: [rows.stride, rows.dilation, rows.before],
  columns: [columns.stride, columns.dilation, columns.before],
  output: [rows.output, columns.output, groups]
})

const run = (name: string, inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap): tf.Tensor =>
  tf.engine().runKernel(name, inputs, attrs) as tf.Tensor

/** `sum(y * dy)` is linear in x, the filter and `dy`: each of the three ops is a gradient of the other two. */
const fused = (x: tf.Tensor, filter: tf.Tensor, attrs: Attributes, bias?: tf.Tensor): tf.Tensor =>
  bias === undefined
    ? Gradient.customGradient((x: tf.Tensor, filter: tf.Tensor) => ({
        value: run("BreveConv2d", { x, filter }, attrs),
        saved: [x, filter],
        gradient: (dy, [x, filter]: readonly [tf.Tensor, tf.Tensor]) => [
          () => ofInput(dy, filter, x.shape, attrs),
          () => ofFilter(x, dy, filter.shape, attrs)
        ]
      }))(x, filter)
    : Gradient.customGradient((x: tf.Tensor, filter: tf.Tensor, bias: tf.Tensor) => ({
        value: run("BreveConv2d", { x, filter, bias }, attrs),
        saved: [x, filter],
        gradient: (dy, [x, filter]: readonly [tf.Tensor, tf.Tensor]) => [
          () => ofInput(dy, filter, x.shape, attrs),
          () => ofFilter(x, dy, filter.shape, attrs),
          () => Linalg.columnSums(dy)
        ]
      }))(x, filter, bias)

const ofInput = (dy: tf.Tensor, filter: tf.Tensor, shape: Array<number>, attrs: Attributes): tf.Tensor =>
  Gradient.customGradient((dy: tf.Tensor, filter: tf.Tensor) => ({
    value: run("BreveConv2dInputGrad", { dy, filter }, { ...attrs, shape }),
    saved: [dy, filter],
    gradient: (dx, [dy, filter]: readonly [tf.Tensor, tf.Tensor]) => [
      () => fused(dx, filter, attrs),
      () => ofFilter(dx, dy, filter.shape, attrs)
    ]
  }))(dy, filter)

const ofFilter = (x: tf.Tensor, dy: tf.Tensor, shape: Array<number>, attrs: Attributes): tf.Tensor =>
  Gradient.customGradient((x: tf.Tensor, dy: tf.Tensor) => ({
    value: run("BreveConv2dFilterGrad", { x, dy }, { ...attrs, shape }),
    saved: [x, dy],
    gradient: (dw, [x, dy]: readonly [tf.Tensor, tf.Tensor]) => [
      () => ofInput(dy, dw, x.shape, attrs),
      () => fused(x, dw, attrs)
    ]
  }))(x, dy)

// ---- operations ---------------------------------------------------------------------------------------------

/**
 * A convolution of images (without flipping the filter, as everywhere in machine learning), with any strides and dilations. A
 * gradient that nothing asks for is not computed. With as many groups as channels each channel has filters of its own (depthwise).
 *
 * - formula:  `y[n,i,j,o] = b[o] + Σ_uvc x[n, i s + u d - top, j s + v d - left, g ci/groups + c] w[u,v,c,o]`, with x = 0 outside and
 *             `g = floor(o groups / co)`
 * - shapes:   `x [n, h, w, ci], filter [kh, kw, ci / groups, co], bias [co] -> y [n, oh, ow, co]`,
 *             `oh = floor((h + top + bottom - (kh-1) d - 1) / s) + 1`
 * - gradient: `dx[n,p,q,c] = Σ dy[n,i,j,o] w[u,v,c,o]` over `p = i s + u d - top`, `q = j s + v d - left`; `dw[u,v,c,o] = Σ_nij x dy`
 *             likewise; `db = Σ_nij dy`
 * - errors:   throws ShapeMismatch where the channels do not fit
 * - source:   Dumoulin and Visin 2016, arXiv:1603.07285; gradient at a stride by phases: Shi et al. 2016, arXiv:1609.07009
 *
 * @category convolution
 * @since 0.1.0
 */
export const conv2d = (
  x: tf.Tensor,
  filter: tf.Tensor,
  given: Conv2dOptions,
  bias?: tf.Tensor | undefined
): tf.Tensor => {
  const options = { ...given, groups: given.groups ?? 1 }
  check(x, filter, options, bias)
  const [n = 0, h = 0, w = 0] = x.shape
  const [kh = 0, kw = 0, ci = 0, co = 0] = filter.shape
  const at = Window.geometry([h, w], [kh, kw], options)
  const y = [n, at.rows.output, at.columns.output, co]
  if (y.includes(0) || x.size === 0 || filter.size === 0) return ConvolutionShape.vacant(y, x, filter, bias)
  const { rows, columns } = at
  if (kh * kw === 1 && options.groups === 1 && [rows, columns].every(isWhole))
    return tf.reshape(Linalg.linear(tf.reshape(x, [-1, ci]), tf.reshape(filter, [ci, co]), bias), y)
  const all = bias === undefined ? [x, filter] : [x, filter, bias]
  return tf.getKernel("BreveConv2d", tf.getBackend()) !== undefined && all.every(({ dtype }) => dtype === "float32")
    ? fused(x, filter, attributes(at, options.groups), bias)
    : plus(composition(x, filter, options), bias)
}

const plus = (y: tf.Tensor, bias: tf.Tensor | undefined): tf.Tensor => (bias === undefined ? y : tf.add(y, bias))

/** Each element of the image is a window. */
const isWhole = ({ input, output, stride, before }: Window.Axis): boolean =>
  stride === 1 && before === 0 && input === output

/** The kernels trust their shapes. */
const check = (x: tf.Tensor, filter: tf.Tensor, { groups }: Options, bias: tf.Tensor | undefined): void => {
  const [ci = 0, inner = 0, co = 0] = [x.shape[3], filter.shape[2], filter.shape[3]]
  const what = "Convolution.conv2d"
  if (x.rank !== 4) throw new ShapeMismatch({ what: `${what}, x`, expected: "[n, h, w, ci]", actual: x.shape })
  if (filter.rank !== 4 || inner * groups !== ci || co % groups !== 0) {
    const expected = `[kh, kw, ${ci} / ${groups}, a multiple of ${groups}]`
    throw new ShapeMismatch({ what: `${what}, filter`, expected, actual: filter.shape })
  }
  if (bias !== undefined && (bias.rank !== 1 || bias.size !== co))
    throw new ShapeMismatch({ what: `${what}, bias`, expected: `[${co}]`, actual: bias.shape })
}
