/**
 * Products of matrices, with gradients that are products of the same operands, read as they lie or transposed.
 *
 * Where the backend has breve's kernels (`backend/Kernels.ts`) they do it; elsewhere the composition of standard ops, which is the
 * definition.
 *
 * Room: op (level 1). Imports: tfjs-core, `tensor`. Laws: test/op/Linalg.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** Which operands are multiplied with their last two axes exchanged. */
export interface Options {
  readonly transposeA?: boolean
  readonly transposeB?: boolean
}

// ---- kernels ------------------------------------------------------------------------------------------------

const hasKernel = (name: string, inputs: ReadonlyArray<tf.Tensor>): boolean =>
  tf.getKernel(name, tf.getBackend()) !== undefined && inputs.every(({ dtype }) => dtype === "float32")

const exchanged = (x: tf.Tensor): tf.Tensor =>
  tf.transpose(x, [...Array.from({ length: x.rank - 2 }, (_, axis) => axis), x.rank - 1, x.rank - 2])

/** Repeated, so that the axes before the last two are these. */
const repeated = (x: tf.Tensor, batch: ReadonlyArray<number>): tf.Tensor =>
  tf.util.arraysEqual(x.shape.slice(0, -2), [...batch]) ? x : tf.broadcastTo(x, [...batch, ...x.shape.slice(-2)])

/**
 * The definition. On WASM tfjs multiplies transposed matrices slowly, so that they are transposed before; everywhere it broadcasts
 * the first axis only.
 */
const composed = (a: tf.Tensor, b: tf.Tensor, transposeA: boolean, transposeB: boolean): tf.Tensor => {
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2))
  return tf.matMul(repeated(transposeA ? exchanged(a) : a, batch), repeated(transposeB ? exchanged(b) : b, batch))
}

const multiplied = (
  a: tf.Tensor,
  b: tf.Tensor,
  { transposeA = false, transposeB = false }: Options,
  bias?: tf.Tensor
): tf.Tensor => {
  if (hasKernel("BreveMatMul", bias === undefined ? [a, b] : [a, b, bias])) {
    const inputs = bias === undefined ? { a, b } : { a, b, bias }
    return tf.engine().runKernel("BreveMatMul", inputs, { transposeA, transposeB }) as tf.Tensor
  }
  const y = composed(a, b, transposeA, transposeB)
  return bias === undefined ? y : tf.add(y, bias)
}

// ---- sums ---------------------------------------------------------------------------------------------------

/** Sums over the axes along which a tensor of this shape was broadcast. */
const summedTo = (x: tf.Tensor, shape: ReadonlyArray<number>): tf.Tensor => {
  const axes = tf.broadcast_util.getReductionAxes([...shape], x.shape)
  return axes.length === 0 ? x : tf.reshape(tf.sum(x, axes), [...shape])
}

/**
 * The sums of the columns of a matrix, or of all rows along the last axis.
 *
 * - formula:  `y_j = Σ_i x_ij`
 * - shapes:   `x [...d, n] -> y [n]`
 * - gradient: `dx_ij = dy_j`
 * - errors:   none; NaN passes
 * - source:   Giles 2008, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation"
 *
 * @category sums
 * @since 0.3.0
 */
export const columnSums: (x: tf.Tensor) => tf.Tensor = Gradient.customGradient((x: tf.Tensor) => {
  const { shape } = x
  const columns = shape.at(-1) as number
  return {
    value: hasKernel("BreveColumnSums", [x])
      ? (tf.engine().runKernel("BreveColumnSums", { x }) as tf.Tensor)
      : tf.sum(tf.reshape(x, [tf.util.sizeFromShape(shape.slice(0, -1)), columns]), 0),
    gradient: (dy) => [tf.broadcastTo(dy, shape)]
  }
})

// ---- products -----------------------------------------------------------------------------------------------

/**
 * The product of two matrices, or of each two of a batch of them; `aᵗ` is `a`, transposed if asked for. A gradient is computed only
 * if it is asked for.
 *
 * - formula:  `y = aᵗ bᵗ`
 * - shapes:   `a [...d, n, k], b [...d, k, m] -> y [...d, n, m]`, the axes before the last two broadcast; transposed: `[...d, k, n]`, `[...d, m, k]`
 * - gradient: `da = dy bᵀ`, `db = aᵀ dy`, transposed where the operand is, and summed where it was broadcast
 * - errors:   none of its own; throws where the inner sizes differ
 * - source:   Giles 2008, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation"
 *
 * @category products
 * @since 0.1.0
 */
export const matMul = (a: tf.Tensor, b: tf.Tensor, options: Options = {}): tf.Tensor =>
  a.rank > 2 && b.rank === 2 && options.transposeA !== true
    ? asRows(a, (rows) => product(rows, b, options))
    : product(a, b, options)

/** What `f` makes of a matrix of all rows, in the shape of the rows. */
const asRows = (x: tf.Tensor, f: (rows: tf.Tensor) => tf.Tensor): tf.Tensor => {
  if (x.rank === 2) return f(x)
  const axes = x.shape.slice(0, -1)
  const y = f(tf.reshape(x, [tf.util.sizeFromShape(axes), x.shape.at(-1) as number]))
  return tf.reshape(y, [...axes, y.shape.at(-1) as number])
}

const product = (a: tf.Tensor, b: tf.Tensor, options: Options): tf.Tensor =>
  Gradient.customGradient((a: tf.Tensor, b: tf.Tensor) => ({
    value: multiplied(a, b, options),
    saved: [a, b],
    gradient: (dy, [a, b]: readonly [tf.Tensor, tf.Tensor]) => [
      () => left(dy, a, b, options),
      () => right(dy, a, b, options)
    ]
  }))(a, b)

const left = (dy: tf.Tensor, { shape }: tf.Tensor, b: tf.Tensor, { transposeA, transposeB }: Options): tf.Tensor =>
  summedTo(
    transposeA === true
      ? product(b, dy, { transposeA: transposeB === true, transposeB: true })
      : product(dy, b, { transposeB: transposeB !== true }),
    shape
  )

const right = (dy: tf.Tensor, a: tf.Tensor, { shape }: tf.Tensor, { transposeA, transposeB }: Options): tf.Tensor =>
  summedTo(
    transposeB === true
      ? product(dy, a, { transposeA: true, transposeB: transposeA === true })
      : product(a, dy, { transposeA: transposeA !== true }),
    shape
  )

/**
 * An affine map of each row. A gradient is computed only if it is asked for.
 *
 * - formula:  `y = x W + b`, without `b` where there is none
 * - shapes:   `x [...d, in], weight [in, out], bias [out] -> y [...d, out]`
 * - gradient: `dx = dy Wᵀ`, `dW = xᵀ dy`, `db_j = Σ_i dy_ij`
 * - errors:   none of its own; throws where the sizes do not fit
 * - source:   Giles 2008, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation"
 *
 * @category products
 * @since 0.1.0
 */
export const linear = (x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor | undefined): tf.Tensor =>
  bias === undefined ? matMul(x, weight) : asRows(x, (rows) => affine(rows, weight, bias))

const affine: (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) => tf.Tensor = Gradient.customGradient(
  (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) => ({
    value: multiplied(x, weight, {}, bias),
    saved: [x, weight],
    gradient: (dy, [x, weight]: readonly [tf.Tensor, tf.Tensor]) => [
      () => left(dy, x, weight, {}),
      () => right(dy, x, weight, {}),
      () => (bias.rank === 1 ? columnSums(dy) : tf.reshape(columnSums(dy), bias.shape))
    ]
  })
)
