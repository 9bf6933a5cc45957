/**
 * GPTQ on a matrix: weights rounded column by column, each error spread over the columns that are still to come.
 *
 * Room: ptq (level 5). Imports: effect's `Result`, `./Matrix.ts`. Laws: test/ptq/Math.test.ts.
 */
import { Result } from "effect"
import * as Matrix from "./Matrix.ts"

/** A weight with the rounding of its columns. */
export interface Rounding {
  /** `[outputs, inputs]` */
  readonly weight: Matrix.Matrix
  /** the values that the quantizer makes of a column, given by its place in the weight, one for each output */
  readonly quantize: (column: number, values: Float64Array) => Float64Array
}

export interface Options {
  /** how many columns are done before the rest is updated; changes nothing but the speed; default: a hundredth of the columns */
  readonly blockSize?: number
  /** the columns with the largest inputs first; default: false */
  readonly actOrder?: boolean
  /** added to the diagonal, in units of its mean; default: 0.01 */
  readonly damping?: number
}

/** The columns in the order of their work: the largest diagonal first, those that are equal in their own order. */
export const orderOf = (diagonal: Float64Array, actOrder: boolean): ReadonlyArray<number> => {
  const order = Array.from(diagonal, (_, i) => i)
  return actOrder ? order.sort((a, b) => (diagonal[b] as number) - (diagonal[a] as number) || a - b) : order
}

/** A weight as the work sees it: column by column, in the order of the work. */
export const columnsOf = (weight: Matrix.Matrix, order: ReadonlyArray<number>): Matrix.Matrix => {
  const { rows, columns, data } = weight
  const w = Matrix.zeros(order.length, rows)
  order.forEach((column, t) => {
    for (let i = 0; i < rows; i++) w.data[t * rows + i] = data[i * columns + column] as number
  })
  return w
}

/** The weight back from its columns. */
export const weightOf = (columns: Matrix.Matrix, order: ReadonlyArray<number>): Matrix.Matrix => {
  const weight = Matrix.zeros(columns.columns, columns.rows)
  order.forEach((column, t) => {
    for (let i = 0; i < columns.columns; i++)
      weight.data[i * columns.rows + column] = columns.data[t * columns.columns + i] as number
  })
  return weight
}

/** Rounds the columns `begin ..` of `w` (rows here) in order; `factor[t - shift]` says how the error of t spreads. */
export const spread = (
  w: Matrix.Matrix,
  factor: Matrix.Matrix,
  order: ReadonlyArray<number>,
  quantize: Rounding["quantize"],
  blockSize: number,
  shift = 0
): void => {
  const count = w.rows
  for (let from = shift; from < count; from += blockSize) {
    const to = Math.min(from + blockSize, count)
    const errors: Array<Float64Array> = []
    for (let t = from; t < to; t++) {
      const values = Matrix.row(w, t)
      const pivot = Matrix.at(factor, t - shift, t - shift)
      const quantized = quantize(order[t] as number, values)
      const error = values.slice()
      for (let i = 0; i < error.length; i++) error[i] = ((error[i] as number) - (quantized[i] as number)) / pivot
      errors.push(error)
      for (let s = t; s < to; s++)
        Matrix.subtractAll(Matrix.row(w, s), [error], [Matrix.at(factor, t - shift, s - shift)])
    }
    for (let s = to; s < count; s++) {
      const by = errors.map((_, i) => Matrix.at(factor, from + i - shift, s - shift))
      Matrix.subtractAll(Matrix.row(w, s), errors, by)
    }
  }
}

/**
 * Rounds a weight so that its product with the inputs changes little.
 *
 * - formula:  with `H = 2 X^T X / n + d mean(diag) I` and `H^-1 = U^T U`: for each column j in order `e = (w_j - q(w_j)) / U_jj`,
 *   `w_k <- w_k - e U_jk` for `k >= j`; an input that is always 0 gets the weight 0
 * - shapes:   `weight [m, n], hessian [n, n] -> weight [m, n]`, of which every column is what the quantizer made of it
 * - gradient: none
 * - errors:   `NotPositive` where the damped Hessian has no inverse
 * - source:   Frantar et al. 2022, arXiv:2210.17323
 */
export const gptq = (
  { weight, quantize }: Rounding,
  hessian: Matrix.Matrix,
  options: Options = {}
): Result.Result<Matrix.Matrix, Matrix.NotPositive> => {
  const { actOrder = false, damping = 0.01, blockSize = Math.max(1, Math.ceil(weight.columns / 100)) } = options
  const h = Matrix.copy(hessian)
  const dead = Array.from(Matrix.diagonal(hessian), (value) => value === 0)
  dead.forEach((isDead, i) => {
    if (isDead) h.data[i * h.columns + i] = 1
  })
  const order = orderOf(Matrix.diagonal(h), actOrder)
  const w = columnsOf(weight, order)
  order.forEach((column, t) => {
    if (dead[column] === true) Matrix.row(w, t).fill(0)
  })
  const diagonal = Matrix.diagonal(h)
  const damp = damping * (diagonal.reduce((sum, value) => sum + value, 0) / diagonal.length)
  return Result.map(Matrix.inverseFactor(Matrix.damped(Matrix.permuted(h, order), damp)), (factor) => {
    spread(w, factor, order, quantize, blockSize)
    return weightOf(w, order)
  })
}
