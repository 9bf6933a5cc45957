/**
 * Qronos on a matrix: the first column is solved against all others, the rest once more in closed form, then as GPTQ.
 *
 * Room: ptq (level 5). Imports: effect's `Result`, `./GpfqMath.ts`, `./GptqMath.ts`, `./Matrix.ts`. Laws: test/ptq/Math.test.ts.
 */
import { Result } from "effect"
import type { Covariances } from "./GpfqMath.ts"
import { columnsOf, orderOf, type Rounding, spread, weightOf } from "./GptqMath.ts"
import * as Matrix from "./Matrix.ts"

export interface Options {
  /** where the search for the largest eigenvalue begins; default: ones */
  readonly start?: ArrayLike<number>
  readonly actOrder?: boolean
  readonly blockSize?: number
  /** added to the diagonal, in units of the largest eigenvalue; default: 1e-6 */
  readonly damping?: number
}

/** The inverse without the first row and column's variable: `A_11 - b b^T / c`. */
const without = (inverse: Matrix.Matrix): Matrix.Matrix => {
  const n = inverse.rows - 1
  const rest = Matrix.zeros(n, n)
  const c = Matrix.at(inverse, 0, 0)
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++)
      rest.data[i * n + j] =
        Matrix.at(inverse, i + 1, j + 1) - (Matrix.at(inverse, i + 1, 0) * Matrix.at(inverse, j + 1, 0)) / c
  return rest
}

/** The first column: `(w G_0 - sum_j>0 w_j H_0j) / H_00`. */
const solveFirst = (w: Matrix.Matrix, original: Matrix.Matrix, h: Matrix.Matrix, g: Matrix.Matrix): void => {
  const pivot = Matrix.at(h, 0, 0)
  const first = new Float64Array(w.columns)
  for (let s = 0; s < w.rows; s++) {
    const gain = pivot === 0 ? 0 : Matrix.at(g, s, 0) / pivot
    const loss = pivot === 0 || s === 0 ? 0 : Matrix.at(h, 0, s) / pivot
    const [before, now] = [Matrix.row(original, s), Matrix.row(w, s)]
    for (let i = 0; i < first.length; i++)
      first[i] = (first[i] as number) + gain * (before[i] as number) - loss * (now[i] as number)
  }
  Matrix.row(w, 0).set(first)
}

/** The other columns: `(w (G + d I)_1 - q_0 H_01) A`, with `A` the inverse without the first variable. */
const solveRest = (
  w: Matrix.Matrix,
  original: Matrix.Matrix,
  rounded: Float64Array,
  [h, g, inverse]: readonly [Matrix.Matrix, Matrix.Matrix, Matrix.Matrix],
  damp: number
): void => {
  const [n, m] = [w.rows, w.columns]
  const right = Matrix.zeros(n - 1, m)
  for (let j = 1; j < n; j++) {
    const to = Matrix.row(right, j - 1)
    for (let s = 0; s < n; s++) {
      const gain = Matrix.at(g, s, j) + (s === j ? damp : 0)
      const before = Matrix.row(original, s)
      for (let i = 0; i < m; i++) to[i] = (to[i] as number) + gain * (before[i] as number)
    }
    const loss = Matrix.at(h, 0, j)
    for (let i = 0; i < m; i++) to[i] = (to[i] as number) - loss * (rounded[i] as number)
  }
  w.data.set(Matrix.product(inverse, right).data, m)
}

/**
 * Rounds a weight so that its product with quantized inputs is near that of the float weight with float inputs, correcting the errors of
 * the inputs first.
 *
 * - formula:  with `H = X'^T X' / n`, `G = X^T X' / n`, `d = 1e-6 * largest eigenvalue`: `w_0 = (w G_0 - w_1.. H_0,1..) / H_00`, then
 *   `w_1.. = (w (G + d I)_1.. - q(w_0) H_0,1..) A`, `A` the inverse of `H + d I` without its first variable; then as GPTQ with `A = U^T U`
 * - shapes:   `weight [m, n], covariances [n, n] -> weight [m, n]`
 * - gradient: none
 * - errors:   `NotPositive` where the damped covariance has no inverse
 * - source:   Zhang et al. 2025, arXiv:2505.11695
 */
export const qronos = (
  { weight, quantize }: Rounding,
  { quantized, mixed }: Covariances,
  options: Options = {}
): Result.Result<Matrix.Matrix, Matrix.NotPositive> => {
  const { actOrder = false, damping = 1e-6, blockSize = Math.max(1, Math.ceil(weight.columns / 100)) } = options
  const order = orderOf(Matrix.diagonal(quantized), actOrder)
  const h = Matrix.permuted(quantized, order)
  // the float inputs come first here: (X'^T X)^T
  const g = Matrix.permuted(Matrix.transpose(mixed), order)
  const w = columnsOf(weight, order)
  const original = Matrix.copy(w)
  order.forEach((_, t) => {
    if (Matrix.at(h, t, t) === 0) Matrix.row(w, t).fill(0)
  })
  const start = options.start ?? Float64Array.from({ length: h.rows }, () => 1)
  const damp = damping * Matrix.largestEigenvalue(h, start, 30)
  return Result.flatMap(Matrix.inverse(Matrix.damped(h, damp)), (whole) => {
    solveFirst(w, original, h, g)
    if (w.rows === 1) return Result.succeed(weightOf(w, order))
    const inverse = without(whole)
    solveRest(w, original, quantize(order[0] as number, Matrix.row(w, 0)), [h, g, inverse], damp)
    return Result.map(Matrix.upperFactor(inverse), (factor) => {
      spread(w, factor, order, quantize, blockSize, 1)
      return weightOf(w, order)
    })
  })
}
