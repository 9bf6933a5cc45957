/**
 * Dense matrices in double precision, row after row, and the factorizations that post-training algorithms need.
 *
 * Room: ptq (level 5). Imports: effect's `Result`. Laws: test/ptq/Math.test.ts.
 */
import { Result } from "effect"

export interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array
}

/** A matrix that has no such factor: at this row it is not positive. */
export interface NotPositive {
  readonly row: number
}

// ---- constructors -------------------------------------------------------------------------------------------

export const zeros = (rows: number, columns: number): Matrix => ({
  rows,
  columns,
  data: new Float64Array(rows * columns)
})

export const make = (rows: number, columns: number, values: ArrayLike<number>): Matrix => ({
  rows,
  columns,
  data: Float64Array.from(values)
})

export const copy = ({ rows, columns, data }: Matrix): Matrix => ({ rows, columns, data: data.slice() })

// ---- operations ---------------------------------------------------------------------------------------------

export const at = ({ columns, data }: Matrix, row: number, column: number): number =>
  data[row * columns + column] as number

export const row = ({ columns, data }: Matrix, i: number): Float64Array => data.subarray(i * columns, (i + 1) * columns)

export const transpose = (a: Matrix): Matrix => {
  const t = zeros(a.columns, a.rows)
  for (let i = 0; i < a.rows; i++)
    for (let j = 0; j < a.columns; j++) t.data[j * a.rows + i] = a.data[i * a.columns + j] as number
  return t
}

export const diagonal = (a: Matrix): Float64Array => Float64Array.from({ length: a.rows }, (_, i) => at(a, i, i))

/** The same rows and columns in another order: element `(i, j)` is that of `(order[i], order[j])`. */
export const permuted = (a: Matrix, order: ArrayLike<number>): Matrix => {
  const b = zeros(a.rows, a.columns)
  for (let i = 0; i < a.rows; i++) {
    const from = (order[i] as number) * a.columns
    for (let j = 0; j < a.columns; j++) b.data[i * a.columns + j] = a.data[from + (order[j] as number)] as number
  }
  return b
}

/** `a b`. */
export const product = (a: Matrix, b: Matrix): Matrix => {
  const c = zeros(a.rows, b.columns)
  const n = b.columns
  for (let i = 0; i < a.rows; i++) {
    const to = row(c, i)
    for (let k = 0; k < a.columns; k++) {
      const x = at(a, i, k)
      const from = k * n
      for (let j = 0; j < n; j++) to[j] = (to[j] as number) + x * (b.data[from + j] as number)
    }
  }
  return c
}

/** `a x`. */
export const times = (a: Matrix, x: ArrayLike<number>): Float64Array => {
  const y = new Float64Array(a.rows)
  for (let i = 0; i < a.rows; i++) {
    const from = i * a.columns
    let sum = 0
    for (let j = 0; j < a.columns; j++) sum += (a.data[from + j] as number) * (x[j] as number)
    y[i] = sum
  }
  return y
}

/** The same with a number added to the diagonal. */
export const damped = (a: Matrix, by: number): Matrix => {
  const b = copy(a)
  for (let i = 0; i < a.rows; i++) b.data[i * a.columns + i] = at(a, i, i) + by
  return b
}

// ---- factorizations -----------------------------------------------------------------------------------------

/**
 * The upper triangular `U` with `A^-1 = U^T U`, of a symmetric positive matrix: one factorization from the last row to the first
 * (`A = R R^T` with `R` upper triangular) and the inverse of its factor, since `U = R^-1`. Source: Golub and Van Loan, Matrix
 * Computations, section 4.2.
 */
export const inverseFactor = (a: Matrix): Result.Result<Matrix, NotPositive> => {
  const n = a.rows
  // rows of the transposed factor lie together: row j of l is the column j of R, from 0 to j
  const l = copy(a)
  const column = (j: number): Float64Array => l.data.subarray(j * n, j * n + j + 1)
  for (let last = n; last > 0; last -= together) {
    const first = Math.max(0, last - together)
    for (let j = last - 1; j >= first; j--) {
      const own = column(j)
      const pivot = own[j] as number
      if (!(pivot > 0) || pivot === Number.POSITIVE_INFINITY) return Result.fail({ row: j })
      const root = Math.sqrt(pivot)
      for (let i = 0; i <= j; i++) own[i] = (own[i] as number) / root
      for (let k = j - 1; k >= first; k--) subtractAll(column(k), [own], [own[k] as number], k + 1)
    }
    const done = Array.from({ length: last - first }, (_, i) => column(first + i))
    for (let k = first - 1; k >= 0; k--)
      subtractAll(
        column(k),
        done,
        done.map((own) => own[k] as number),
        k + 1
      )
  }
  return Result.succeed(upperInverse(n, l.data))
}

/** How many rows are taken off at a time: their sums stay in registers. */
const together = 4

/** `to[i] -= sum_k by_k from_k[i]` for i below `length` and as many k as there are factors. */
export const subtractAll = (
  to: Float64Array,
  from: ReadonlyArray<Float64Array>,
  by: ReadonlyArray<number>,
  length = to.length
): void => {
  const count = by.length
  let k = 0
  for (; k + 4 <= count; k += 4) {
    const [a, b, c, d] = [from[k], from[k + 1], from[k + 2], from[k + 3]] as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array
    ]
    const [p, q, r, s] = [by[k], by[k + 1], by[k + 2], by[k + 3]] as [number, number, number, number]
    for (let i = 0; i < length; i++)
      to[i] =
        (to[i] as number) - (p * (a[i] as number) + q * (b[i] as number) + r * (c[i] as number) + s * (d[i] as number))
  }
  for (; k < count; k++) {
    const [a, p] = [from[k] as Float64Array, by[k] as number]
    for (let i = 0; i < length; i++) to[i] = (to[i] as number) - p * (a[i] as number)
  }
}

/** The inverse of an upper triangular matrix whose columns are the rows of `l`. */
const upperInverse = (n: number, l: Float64Array): Matrix => {
  const inverse = zeros(n, n)
  // row i of the inverse from those below: u[i] = (e_i - sum_k>i R[i][k] u[k]) / R[i][i]; row k begins at its column k
  for (let i = n - 1; i >= 0; i--) {
    const own = row(inverse, i)
    for (let k = i + 1; k < n; k += together) {
      const end = Math.min(n, k + together)
      const rows = Array.from({ length: end - k }, (_, j) => row(inverse, k + j).subarray(k))
      const by = rows.map((_, j) => l[(k + j) * n + i] as number)
      subtractAll(own.subarray(k), rows, by)
    }
    const pivot = l[i * n + i] as number
    for (let j = i + 1; j < n; j++) own[j] = (own[j] as number) / pivot
    own[i] = 1 / pivot
  }
  return inverse
}

/** The inverse of a symmetric positive matrix. */
export const inverse = (a: Matrix): Result.Result<Matrix, NotPositive> =>
  Result.map(inverseFactor(a), (u) => {
    const n = a.rows
    const b = zeros(n, n)
    // A^-1 = U^T U: the rows of U one after the other
    for (let k = 0; k < n; k++)
      for (let i = k; i < n; i++) {
        const by = at(u, k, i)
        const [to, from] = [i * n, k * n]
        if (by !== 0)
          for (let j = k; j < n; j++) b.data[to + j] = (b.data[to + j] as number) + by * (u.data[from + j] as number)
      }
    return b
  })

/** The upper triangular `U` with `A = U^T U`, of a symmetric positive matrix. */
export const upperFactor = (a: Matrix): Result.Result<Matrix, NotPositive> => {
  const n = a.rows
  const u = copy(a)
  for (let k = 0; k < n; k++) {
    const own = k * n
    const pivot = u.data[own + k] as number
    if (!(pivot > 0) || pivot === Number.POSITIVE_INFINITY) return Result.fail({ row: k })
    const root = Math.sqrt(pivot)
    for (let j = 0; j < n; j++) u.data[own + j] = j < k ? 0 : (u.data[own + j] as number) / root
    for (let i = k + 1; i < n; i++) {
      const by = u.data[own + i] as number
      const to = i * n
      if (by !== 0)
        for (let j = i; j < n; j++) u.data[to + j] = (u.data[to + j] as number) - by * (u.data[own + j] as number)
    }
  }
  return Result.succeed(u)
}

/** The largest eigenvalue of a symmetric matrix, by powers of it: `v <- A v / |A v|` from `start`. */
export const largestEigenvalue = (a: Matrix, start: ArrayLike<number>, steps: number): number => {
  const unit = (x: Float64Array): Float64Array => {
    const norm = Math.hypot(...x)
    return x.map((value) => value / norm)
  }
  let v = unit(Float64Array.from(start))
  for (let i = 0; i < steps; i++) v = unit(times(a, v))
  const w = times(a, v)
  return w.reduce((sum, value, i) => sum + value * (v[i] as number), 0)
}
