/**
 * GPTQ on a matrix: weights rounded column by column, each error spread over the columns that are still to come.
 *
 * Room: ptq (level 5). Imports: effect's `Result`, `./Factor.ts`, `./Matrix.ts`, `./Spread.ts`. Laws: test/ptq/Math.test.ts.
 */
import { Result } from "effect"
import * as Factor from "./Factor.ts"
import * as Matrix from "./Matrix.ts"
import * as Spread from "./Spread.ts"

/** A weight with the rounding of its columns. */
export interface Rounding {
  /** `[outputs, inputs]` */
  readonly weight: Matrix.Matrix
  /** the values that the quantizer makes of a column, given by its place in the weight, one for each output */
  readonly quantize: (column: number, values: Float64Array) => Float64Array
}

export interface Options {
  /** how many columns are done one by one; changes nothing but the speed and last bits; default: 32 */
  readonly blockSize?: number
  /** the columns with the largest inputs first; default: false */
  readonly actOrder?: boolean
  /** added to the diagonal, in units of its mean; default: 0.01 */
  readonly damping?: number
  /** whether the matrices of the inputs may be written over: one Hessian less in memory; default: false */
  readonly overwrite?: boolean
}

/** A matrix with its rows and columns in another order: a copy, or, where it may be written over, itself. */
export const arranged = (a: Matrix.Matrix, order: ArrayLike<number>, overwrite: boolean): Matrix.Matrix =>
  overwrite ? Matrix.permuteInPlace(a, order) : Matrix.permuted(a, order)

/** The columns in the order of their work: the largest diagonal first, those that are equal in their own order. */
export const orderOf = (diagonal: Float64Array, actOrder: boolean): ReadonlyArray<number> => {
  const order = Array.from(diagonal, (_, i) => i)
  return actOrder ? order.sort((a, b) => (diagonal[b] as number) - (diagonal[a] as number) || a - b) : order
}

/**
 * Rounds a weight so that its product with the inputs changes little.
 *
 * - formula:  with `H = 2 X^T X / n + d mean(diag) I` and `H^-1 = U^T U`: for each column j in order `e = (w_j - q(w_j)) / U_jj`,
 *   `w_k <- w_k - e U_jk` for `k >= j`, computed as `Spread.walk` without the inverse, `U^-1 = L^T`; an input that is always 0 gets
 *   the weight 0
 * - shapes:   `weight [m, n], hessian [n, n] -> weight [m, n]`, of which every column is what the quantizer made of it
 * - gradient: none
 * - errors:   `NotPositive` where the damped Hessian has no inverse
 * - source:   Frantar et al. 2022, arXiv:2210.17323
 */
export const gptq = (
  { weight, quantize }: Rounding,
  hessian: Matrix.Matrix,
  { actOrder = false, damping = 0.01, blockSize = 32, overwrite = false }: Options = {}
): Result.Result<Matrix.Matrix, Factor.NotPositive> => {
  const own = Matrix.diagonal(hessian)
  const diagonal = own.map((value) => (value === 0 ? 1 : value))
  const order = orderOf(diagonal, actOrder)
  const h = arranged(hessian, order, overwrite)
  const damp = damping * (diagonal.reduce((sum, value) => sum + value, 0) / diagonal.length)
  const w = Spread.columnsOf(weight, order)
  order.forEach((column, t) => {
    h.data[t * h.columns + t] = (diagonal[column] as number) + damp
    if (own[column] === 0) w.data.fill(0, t * w.length, (t + 1) * w.length)
  })
  return Result.map(Factor.lowerInPlace(h), (factor) => {
    const sums = Spread.zeros(order.length, w.length)
    const rounded = (t: number, values: Float64Array): Float64Array => quantize(order[t] as number, values)
    Spread.walk({ weight: w, sums, factor, quantize: rounded, keep: "rounded", blockSize })
    return Spread.weightOf(w, order)
  })
}
