/**
 * The largest element and the mean of each window of an image: with breve's kernels where the backend has them
 * (`backend/Kernels.ts`), elsewhere as the composition of standard ops, which is the definition.
 *
 * Room: op (level 1). Imports: tfjs-core, `tensor`, `./Convolution.ts`, `./Window.ts`. Laws: test/op/Pool.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import * as Convolution from "./Convolution.ts"
import * as Window from "./Window.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** Each pair is for the height and the width. */
export interface Options {
  /** of a window */
  readonly size: Window.Pair
  /** from window to window; default: the size */
  readonly strides?: Window.Pair | undefined
  /** what is added around the image; default: "valid" */
  readonly pad?: Window.Pad | undefined
  /** how far the elements of a window lie apart; default: 1 */
  readonly dilations?: Window.Pair | undefined
}

export interface AverageOptions extends Options {
  /** whether zeros around the image count as elements of a window; default: false, as TensorFlow does */
  readonly countIncludePad?: boolean | undefined
}

/** Where the windows lie. */
interface Layout extends Window.Geometry {
  readonly lie: Window.Lie
  readonly shape: readonly [n: number, height: number, width: number, channels: number]
}

const layout = (what: string, x: tf.Tensor, { size, strides, pad, dilations }: Options): Layout => {
  if (x.rank !== 4) throw new ShapeMismatch({ what: `${what}, x`, expected: "[n, h, w, c]", actual: x.shape })
  const shape = x.shape as [number, number, number, number]
  const lie = { strides: strides ?? size, pad: pad ?? "valid", dilations: dilations ?? ([1, 1] as const) }
  return { ...Window.geometry([shape[1], shape[2]], size, lie), lie, shape }
}

// ---- kernels ------------------------------------------------------------------------------------------------

const attributes = ({ rows, columns, shape }: Layout, count: number): tf.NamedAttrMap => ({
  rows: [rows.kernel, rows.stride, rows.dilation, rows.before],
  columns: [columns.kernel, columns.stride, columns.dilation, columns.before],
  output: [rows.output, columns.output],
  shape: [...shape],
  count
})

const run = (name: string, inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap): tf.Tensor =>
  tf.engine().runKernel(name, inputs, attrs) as tf.Tensor

const fusable = (x: tf.Tensor): boolean =>
  x.dtype === "float32" && tf.getKernel("BreveMaxPool", tf.getBackend()) !== undefined

const fusedMaximum = (x: tf.Tensor, at: Layout): tf.Tensor => {
  const attrs = attributes(at, 0)
  return Gradient.customGradient((x: tf.Tensor) => ({
    value: run("BreveMaxPool", { x }, attrs),
    saved: [x],
    gradient: (dy, [x]: readonly [tf.Tensor]) => [run("BreveMaxPoolGrad", { x, dy }, attrs)]
  }))(x)
}

const fusedMean = (x: tf.Tensor, at: Layout, count: number): tf.Tensor => {
  const attrs = attributes(at, count)
  return Gradient.customGradient((x: tf.Tensor) => ({
    value: run("BreveAvgPool", { x }, attrs),
    gradient: (dy) => [run("BreveAvgPoolGrad", { dy }, attrs)]
  }))(x)
}

// ---- the definitions ----------------------------------------------------------------------------------------

/** For each element of the windows, in order: those of all windows, and where in the image, or -1, each lies. */
const elements = (x: tf.Tensor, { rows, columns, shape }: Layout): ReadonlyArray<readonly [tf.Tensor, tf.Tensor]> => {
  const [n, height, width, channels] = shape
  const [tall, wide] = [rows.output * rows.stride, columns.output * columns.stride]
  // as much after as the last window needs to be as long as a stride
  const space = ({ before, after, stride }: Window.Axis): [number, number] => [
    Math.max(0, before),
    Math.max(0, after) + stride - 1
  ]
  const around = tf.pad(x, [[0, 0], space(rows), space(columns), [0, 0]], Number.NEGATIVE_INFINITY)
  const first = ({ before, dilation }: Window.Axis, tap: number) => Math.max(0, -before) + tap * dilation
  const each = [n, rows.output, columns.output, channels]
  return Array.from({ length: rows.kernel }, (_, u) => u).flatMap((u) =>
    Array.from({ length: columns.kernel }, (_, v) => {
      // tf.stridedSlice takes 100 times as long on WASM
      const part = tf.slice(around, [0, first(rows, u), first(columns, v), 0], [n, tall, wide, channels])
      const strides = tf.reshape(part, [n * rows.output, rows.stride, columns.output, columns.stride * channels])
      const value = tf.reshape(tf.slice(strides, 0, [n * rows.output, 1, columns.output, channels]), each)
      const place = new Int32Array(value.size).map((_, at) => {
        const window = Math.floor(at / channels) % (rows.output * columns.output)
        const i = Math.floor(window / columns.output) * rows.stride + u * rows.dilation - rows.before
        const j = (window % columns.output) * columns.stride + v * columns.dilation - columns.before
        const image = Math.floor(at / (channels * rows.output * columns.output))
        const isInside = i >= 0 && i < height && j >= 0 && j < width
        return isInside ? ((image * height + i) * width + j) * channels + (at % channels) : -1
      })
      return [value, tf.tensor(place, each, "int32")] as const
    })
  )
}

/** The first largest element of each window, or the first NaN, and its place in the image, -1 where there is none. */
const maxima = (x: tf.Tensor, at: Layout): readonly [tf.Tensor, tf.Tensor] =>
  elements(x, at).reduce(([best, place], [value, other]) => {
    const better = tf.logicalAnd(
      tf.logicalOr(tf.logicalNot(tf.lessEqual(value, best)), tf.less(place, tf.scalar(0, "int32"))),
      tf.logicalAnd(tf.equal(best, best), tf.greaterEqual(other, tf.scalar(0, "int32")))
    )
    return [tf.where(better, value, best), tf.where(better, other, place)]
  })

/**
 * The definition of `maxPool2d` in standard ops.
 *
 * - formula:  as `maxPool2d`
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`
 * - gradient: as `maxPool2d`
 * - errors:   none of its own
 * - source:   as `maxPool2d`
 *
 * @category pooling
 * @since 0.3.0
 */
export const maximum = (x: tf.Tensor, options: Options): tf.Tensor => {
  const at = layout("Pool.maxPool2d", x, options)
  return Gradient.customGradient((x: tf.Tensor) => {
    const { shape, size } = x
    const [value, place] = maxima(x, at)
    return {
      value,
      saved: [place],
      gradient: (dy, [place]: readonly [tf.Tensor]) => {
        // one element more takes what belongs to none
        const to = tf.where(tf.less(place, tf.scalar(0, "int32")), tf.scalar(size, "int32"), place)
        const sums = tf.scatterND(tf.reshape(to, [-1, 1]), tf.reshape(dy, [-1]), [size + 1])
        return [tf.reshape(tf.slice(sums, 0, size), shape)]
      }
    }
  })(x)
}

/** As many elements of each window as are counted. */
const counts = ({ rows, columns }: Layout, includePad: boolean): tf.Tensor => {
  const along = ({ output, kernel, stride, dilation, before, input }: Window.Axis): ReadonlyArray<number> =>
    Array.from({ length: output }, (_, i) => {
      const places = Array.from({ length: kernel }, (_, tap) => i * stride + tap * dilation - before)
      return includePad ? kernel : places.filter((place) => place >= 0 && place < input).length
    })
  const across = along(columns)
  const flat = along(rows).flatMap((tall) => across.map((wide) => Math.max(1, tall * wide)))
  return tf.tensor(flat, [1, rows.output, columns.output, 1], "float32")
}

/**
 * The definition of `avgPool2d` in standard ops: a convolution with ones, of each channel alone.
 *
 * - formula:  as `avgPool2d`
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`
 * - gradient: as `avgPool2d`
 * - errors:   none of its own
 * - source:   as `avgPool2d`
 *
 * @category pooling
 * @since 0.3.0
 */
export const mean = (x: tf.Tensor, options: AverageOptions): tf.Tensor => {
  const at = layout("Pool.avgPool2d", x, options)
  const [n, height, width, channels] = at.shape
  const alone = tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [n * channels, height, width, 1])
  const sums = Convolution.conv2d(alone, tf.ones([...options.size, 1, 1]), at.lie)
  const apart = tf.reshape(sums, [n, channels, at.rows.output, at.columns.output])
  return tf.div(tf.transpose(apart, [0, 2, 3, 1]), counts(at, options.countIncludePad ?? false))
}

// ---- operations ---------------------------------------------------------------------------------------------

/**
 * The largest element of each window. What is added around the image never wins; a window of nothing else is -Infinity.
 *
 * - formula:  `y[n,i,j,c] = max_uv x[n, i s + u d - top, j s + v d - left, c]` over places in the image; NaN if one is NaN
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`, `oh = floor((h + top + bottom - (size-1) d - 1) / s) + 1`
 * - gradient: `dy` to the first place in the window that is NaN, or else to the first that attains the maximum; sums where windows meet
 * - errors:   throws ShapeMismatch where x is no batch of images
 * - source:   PyTorch's MaxPool2d; Ranzato et al. 2007, "Unsupervised Learning of Invariant Feature Hierarchies"
 *
 * @category pooling
 * @since 0.3.0
 */
export const maxPool2d = (x: tf.Tensor, options: Options): tf.Tensor => {
  const at = layout("Pool.maxPool2d", x, options)
  return isEmpty(at) ? vacant(at)(x) : fusable(x) ? fusedMaximum(x, at) : maximum(x, options)
}

/**
 * The mean of each window; of one that lies beside the image, 0.
 *
 * - formula:  `y[n,i,j,c] = Σ_uv x[n, i s + u d - top, j s + v d - left, c] / count`, with x = 0 outside; `count`: elements in the
 *             image, or all
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`, `oh = floor((h + top + bottom - (size-1) d - 1) / s) + 1`
 * - gradient: `dx[n,p,q,c] = Σ dy[n,i,j,c] / count` over the windows that hold the place
 * - errors:   throws ShapeMismatch where x is no batch of images
 * - source:   PyTorch's AvgPool2d; TensorFlow's avg_pool
 *
 * @category pooling
 * @since 0.3.0
 */
export const avgPool2d = (x: tf.Tensor, options: AverageOptions): tf.Tensor => {
  const at = layout("Pool.avgPool2d", x, options)
  if (isEmpty(at)) return vacant(at)(x)
  const all = options.countIncludePad === true ? options.size[0] * options.size[1] : 0
  return fusable(x) ? fusedMean(x, at, all) : mean(x, options)
}

const outputShape = ({ rows, columns, shape: [n, , , channels] }: Layout): Array<number> => [
  n,
  rows.output,
  columns.output,
  channels
]

const isEmpty = (at: Layout): boolean => [...outputShape(at), ...at.shape].includes(0)

/** Of no image, or no windows: nothing, or windows of nothing. */
const vacant = (at: Layout): ((x: tf.Tensor) => tf.Tensor) =>
  Gradient.customGradient((x: tf.Tensor) => {
    const { shape } = x
    return { value: tf.zeros(outputShape(at)), gradient: () => [() => tf.zeros(shape)] }
  })
