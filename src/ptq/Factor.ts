/**
 * The triangular factor of a positive matrix, in double precision, and the systems that it solves.
 *
 * Both are done a block of rows at a time: what is outside of the block is read once for four rows of it.
 *
 * Room: ptq (level 5). Imports: effect's `Result`, `./Matrix.ts`. Laws: test/ptq/Factor.test.ts.
 */
import { Result } from "effect"
import * as Matrix from "./Matrix.ts"

/** A matrix that has no such factor: at this row it is not positive. */
export interface NotPositive {
  readonly row: number
}

/** Rows of a block. */
const block = 32
/** Columns of a block that are done at a time: so much of it stays in the first cache. */
const strip = 128

/**
 * `to[i] -= sum_j by_j from_j[skip + i]` for i below `length`, over the rows `first .. last` of `from`. The factors lie `apart` from each
 * other, beginning with that of row 0 at `by`.
 */
const subtract = (
  data: Float64Array,
  to: number,
  length: number,
  [from, stride, skip]: readonly [Float64Array, number, number],
  [factors, by, apart]: readonly [Float64Array, number, number],
  [first, last]: readonly [number, number]
): void => {
  let j = first
  for (; j + 4 <= last; j += 4) {
    const [a, f] = [j * stride + skip, by + j * apart]
    const [b, c, d] = [a + stride, a + 2 * stride, a + 3 * stride]
    const [p, q] = [factors[f] as number, factors[f + apart] as number]
    const [r, s] = [factors[f + 2 * apart] as number, factors[f + 3 * apart] as number]
    for (let i = 0; i < length; i++)
      data[to + i] =
        (data[to + i] as number) -
        (p * (from[a + i] as number) +
          q * (from[b + i] as number) +
          r * (from[c + i] as number) +
          s * (from[d + i] as number))
  }
  for (; j < last; j++) {
    const [a, p] = [j * stride + skip, factors[by + j * apart] as number]
    for (let i = 0; i < length; i++) data[to + i] = (data[to + i] as number) - p * (from[a + i] as number)
  }
}

/**
 * The lower triangular `L` with `A = L^T L`, of a symmetric positive matrix, from the last row to the first: without its first rows and
 * columns it is the factor of A without these. It is written over the matrix, of which only the lower half is read.
 *
 * - formula:  `L_ij = (A_ij - sum_k>i L_ki L_kj) / L_ii`, `L_ii = sqrt(A_ii - sum_k>i L_ki^2)`, `j <= i`
 * - shapes:   `a [n, n] -> L [n, n]`, zeros above the diagonal
 * - gradient: none
 * - errors:   `NotPositive`, with the first row found whose pivot is not a positive number; the matrix is then half done
 * - source:   Golub and Van Loan, Matrix Computations, section 4.2
 */
export const lowerInPlace = (a: Matrix.Matrix): Result.Result<Matrix.Matrix, NotPositive> => {
  const { rows: n, data } = a
  const own = [data, n, 0] as const
  for (let last = n; last > 0; last -= block) {
    const first = Math.max(0, last - block)
    for (let j = last - 1; j >= first; j--) {
      const at = j * n
      subtract(data, at, j + 1, own, [data, j, n], [j + 1, last])
      const pivot = data[at + j] as number
      if (!(pivot > 0) || pivot === Number.POSITIVE_INFINITY) return Result.fail({ row: j })
      const root = Math.sqrt(pivot)
      for (let i = 0; i <= j; i++) data[at + i] = (data[at + i] as number) / root
      data.fill(0, at + j + 1, at + n)
    }
    for (let c = 0; c < first; c += strip)
      for (let k = c; k < first; k++)
        subtract(data, k * n + c, Math.min(strip, k + 1 - c), [data, n, c], [data, k, n], [first, last])
  }
  return Result.succeed(a)
}

/** The same, the matrix left as it is. */
export const lower = (a: Matrix.Matrix): Result.Result<Matrix.Matrix, NotPositive> => lowerInPlace(Matrix.copy(a))

/**
 * The solution of a system by the factor of its matrix, for many right sides at once.
 *
 * - formula:  `X = (L^T L)^-1 B`: `L^T Y = B` from the last row to the first, then `L X = Y`
 * - shapes:   `L [n, n], b [n, m] -> [n, m]`
 * - gradient: none
 * - errors:   none; a diagonal with a 0 gives what is not finite
 * - source:   Golub and Van Loan, Matrix Computations, section 3.1
 */
export const solve = (factor: Matrix.Matrix, b: Matrix.Matrix): Matrix.Matrix => {
  const x = Matrix.copy(b)
  const [n, m] = [x.rows, x.columns]
  const by = [x.data, m, 0] as const
  const divide = (row: number): void => {
    const pivot = Matrix.at(factor, row, row)
    for (let i = row * m; i < (row + 1) * m; i++) x.data[i] = (x.data[i] as number) / pivot
  }
  for (let last = n; last > 0; last -= block) {
    const first = Math.max(0, last - block)
    for (let k = last - 1; k >= first; k--) {
      subtract(x.data, k * m, m, by, [factor.data, k, n], [k + 1, last])
      divide(k)
    }
    for (let k = first - 1; k >= 0; k--) subtract(x.data, k * m, m, by, [factor.data, k, n], [first, last])
  }
  for (let first = 0; first < n; first += block) {
    const last = Math.min(n, first + block)
    for (let k = first; k < last; k++) {
      subtract(x.data, k * m, m, by, [factor.data, k * n, 1], [first, k])
      divide(k)
    }
    for (let k = last; k < n; k++) subtract(x.data, k * m, m, by, [factor.data, k * n, 1], [first, last])
  }
  return x
}
