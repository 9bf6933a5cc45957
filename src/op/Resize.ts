/**
 * Images of another size: by the nearest element, by straight lines between elements, and by averages over even parts.
 *
 * The last two are linear along the rows and along the columns; their gradients are products with those two matrices, for the WASM
 * backend has no kernels for them.
 *
 * Room: op (level 1). Imports: tfjs-core, `tensor`, `./Gather.ts`, `./Linalg.ts`, `./Pool.ts`. Laws: test/op/Resize.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Gather from "./Gather.ts"
import * as Linalg from "./Linalg.ts"
import * as Pool from "./Pool.ts"

/** Height and width. */
export type Size = readonly [height: number, width: number]

type Weights = (input: number, output: number) => (i: number, j: number) => number

// ---- matrices -----------------------------------------------------------------------------------------------

/** How much of element j of an axis goes into element i of the resized one: `[output, input]`. */
const matrix = (weights: Weights, input: number, output: number): tf.Tensor2D => {
  const weight = weights(input, output)
  const values = Float32Array.from({ length: output * input }, (_, at) => weight(Math.floor(at / input), at % input))
  return tf.tensor2d(values, [output, input])
}

/** Images through a matrix along the rows and one along the columns. */
const through = (x: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor): tf.Tensor => {
  const [n, h, w, c] = x.shape as [number, number, number, number]
  const [oh, ow] = [rows.shape[0] as number, columns.shape[0] as number]
  const byRow = tf.reshape(tf.transpose(x, [0, 2, 3, 1]), [n * w * c, h])
  const tall = tf.reshape(Linalg.matMul(byRow, rows, { transposeB: true }), [n, w, c, oh])
  const byColumn = tf.reshape(tf.transpose(tall, [0, 3, 2, 1]), [n * oh * c, w])
  const wide = tf.reshape(Linalg.matMul(byColumn, columns, { transposeB: true }), [n, oh, c, ow])
  return tf.transpose(wide, [0, 1, 3, 2])
}

const linear =
  (weights: Weights, value: (x: tf.Tensor, size: Size) => tf.Tensor) =>
  (x: tf.Tensor, size: Size): tf.Tensor => {
    const [n, h, w, c] = x.shape as [number, number, number, number]
    if (x.size === 0 || size.includes(0)) return vacant([n, ...size, c])(x)
    return Gradient.customGradient((x: tf.Tensor) => ({
      value: value(x, size),
      gradient: (dy) => [
        through(dy, tf.transpose(matrix(weights, h, size[0])), tf.transpose(matrix(weights, w, size[1])))
      ]
    }))(x)
  }

/** Of no images, or no elements. */
const vacant = (shape: ReadonlyArray<number>): ((x: tf.Tensor) => tf.Tensor) =>
  Gradient.customGradient((x: tf.Tensor) => {
    const like = x.shape
    return { value: tf.zeros([...shape]), gradient: () => [() => tf.zeros(like)] }
  })

// ---- operations ---------------------------------------------------------------------------------------------

/**
 * The nearest element, from above and left.
 *
 * - formula:  `y[i,j] = x[floor(i h / oh), floor(j w / ow)]`
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`
 * - gradient: `dx` = the sum of `dy` over the places that took it
 * - errors:   none; NaN stays where it is
 * - source:   PyTorch, torch.nn.functional.interpolate (nearest)
 *
 * @category resizing
 * @since 0.3.0
 */
export const nearest = (x: tf.Tensor, [oh, ow]: Size): tf.Tensor => {
  const [n, h, w, c] = x.shape as [number, number, number, number]
  if (x.size === 0 || oh * ow === 0) return vacant([n, oh, ow, c])(x)
  const rows = Int32Array.from({ length: oh }, (_, i) => Math.floor((i * h) / oh))
  const columns = Int32Array.from({ length: ow }, (_, j) => Math.floor((j * w) / ow))
  const places = new Int32Array(n * oh * ow)
  let at = 0
  for (let image = 0; image < n; image++)
    for (const row of rows) for (const column of columns) places[at++] = (image * h + row) * w + column
  return tf.reshape(Gather.gather(tf.reshape(x, [n * h * w, c]), tf.tensor1d(places, "int32")), [n, oh, ow, c])
}

const lineWeights =
  (alignCorners: boolean): Weights =>
  (input, output) =>
  (i, j) => {
    const at = alignCorners
      ? output === 1
        ? 0
        : (i * (input - 1)) / (output - 1)
      : Math.max(0, ((i + 0.5) * input) / output - 0.5)
    const low = Math.min(Math.floor(at), input - 1)
    const high = Math.min(low + 1, input - 1)
    const part = at - low
    return (low === j ? 1 - part : 0) + (high === j ? part : 0)
  }

/**
 * On straight lines between the four elements around a place.
 *
 * - formula:  at `(i + 1/2) h / oh - 1/2`, not below 0; or with the corners aligned at `i (h - 1) / (oh - 1)`
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`
 * - gradient: `dx` = the sum of `dy` over the places that took it, as much as they took
 * - errors:   none; NaN spreads to the places that take it
 * - source:   PyTorch, torch.nn.functional.interpolate (bilinear)
 *
 * @category resizing
 * @since 0.3.0
 */
export const bilinear = (x: tf.Tensor, size: Size, alignCorners = false): tf.Tensor =>
  linear(lineWeights(alignCorners), (x, size) =>
    tf.image.resizeBilinear(x as tf.Tensor4D, [...size], alignCorners, !alignCorners)
  )(x, size)

const partWeights: Weights = (input, output) => (i, j) => {
  const [from, to] = [Math.floor((i * input) / output), Math.ceil(((i + 1) * input) / output)]
  return j >= from && j < to ? 1 / (to - from) : 0
}

/**
 * Averages over as even parts of the image as there are: from `floor(i h / oh)` to `ceil((i + 1) h / oh)`.
 *
 * - formula:  `y[i,j] = mean of part i, j`
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`
 * - gradient: `dx` = the sum of `dy / size` over the parts that hold the place
 * - errors:   none; where the parts differ in size, NaN and infinities spread along their rows and columns
 * - source:   PyTorch, torch.nn.functional.adaptive_avg_pool2d
 *
 * @category resizing
 * @since 0.3.0
 */
export const averages = (x: tf.Tensor, [oh, ow]: Size): tf.Tensor => {
  const [h, w] = [x.shape[1] as number, x.shape[2] as number]
  if (x.size > 0 && h % oh === 0 && w % ow === 0)
    return Pool.avgPool2d(x, { size: [h / oh, w / ow], strides: [h / oh, w / ow] })
  return linear(partWeights, (x) => through(x, matrix(partWeights, h, oh), matrix(partWeights, w, ow)))(x, [oh, ow])
}
