/**
 * Products of matrices, with gradients that are fast and right on the WASM backend: there a product with `transposeA` or
 * `transposeB` is slow, and a fused one wrong, so what has to be transposed is transposed first.
 *
 * Room: op (level 1). Imports: tfjs-core, `tensor`. Laws: test/op/Linalg.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"

// ---- products -----------------------------------------------------------------------------------------------

/**
 * The product of two matrices. The gradient of `a` is skipped if nothing asks for it.
 *
 * - formula:  `y = a b`
 * - shapes:   `a [n, k], b [k, m] -> y [n, m]`
 * - gradient: `da = dy bᵀ`, `db = aᵀ dy`
 * - errors:   none of its own; tfjs throws where the inner sizes differ
 * - source:   Giles 2008, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation"
 *
 * @category products
 * @since 0.1.0
 */
export const matMul: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor = Gradient.bilinear({
  value: (a, b) => tf.matMul(a, b),
  left: (dy, b) => tf.matMul(dy, tf.transpose(b)),
  right: (dy, a) => tf.matMul(tf.transpose(a), dy)
})

/**
 * An affine map of each row. The gradient of `x` is skipped if nothing asks for it.
 *
 * - formula:  `y = x W + b`, without `b` where there is none
 * - shapes:   `x [n, in], weight [in, out], bias [out] -> y [n, out]`
 * - gradient: `dx = dy Wᵀ`, `dW = xᵀ dy`, `db_j = Σ_i dy_ij`
 * - errors:   none of its own; tfjs throws where the sizes do not fit
 * - source:   Giles 2008, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation"
 *
 * @category products
 * @since 0.1.0
 */
export const linear = (x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor | undefined): tf.Tensor =>
  bias === undefined ? matMul(x, weight) : addRow(matMul(x, weight), bias)

/** Adds a row to every row; its gradient is a product with ones because `tf.sum` along axis 0 takes 3 times as long on WASM. */
const addRow: (x: tf.Tensor, row: tf.Tensor) => tf.Tensor = Gradient.customGradient((x: tf.Tensor, row: tf.Tensor) => ({
  value: tf.add(x, row),
  gradient: (dy) => [dy, tf.reshape(tf.matMul(tf.ones([1, dy.shape[0] ?? 1]), dy as tf.Tensor2D), row.shape)]
}))
