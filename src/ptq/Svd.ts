/**
 * Singular values and vectors: all of a matrix by rotations, or the largest of a large one by a random subspace.
 *
 * Room: ptq (level 5). Imports: `tensor`, `./Matrix.ts`. Laws: test/ptq/LowRank.test.ts.
 */
import * as Random from "../tensor/Random.ts"
import * as Matrix from "./Matrix.ts"

/** `A ~ U diag(s) V^T`: columns of U and V as rows here, the largest singular value first. */
export interface Svd {
  /** `[k, m]` */
  readonly left: Matrix.Matrix
  readonly values: Float64Array
  /** `[k, n]` */
  readonly right: Matrix.Matrix
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return sum
}

/** Turns two vectors by an angle. */
const rotate = (a: Float64Array, b: Float64Array, cos: number, sin: number): void => {
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number]
    a[i] = cos * x - sin * y
    b[i] = sin * x + cos * y
  }
}

/** How often all pairs of rows are turned at most; far fewer are needed. */
const sweeps = 60

/** Turns the rows of `a` until they are orthogonal, and those of `v` with them. */
const orthogonalized = (a: Matrix.Matrix, v: Matrix.Matrix): void => {
  const rows = Array.from({ length: a.rows }, (_, i) => [Matrix.row(a, i), Matrix.row(v, i)] as const)
  for (let sweep = 0, turned = true; turned && sweep < sweeps; sweep++) {
    turned = false
    for (let p = 0; p < rows.length; p++)
      for (let q = p + 1; q < rows.length; q++) {
        const [[x, vx], [y, vy]] = [rows[p], rows[q]] as [(typeof rows)[0], (typeof rows)[0]]
        const [xx, yy, xy] = [dot(x, x), dot(y, y), dot(x, y)]
        if (Math.abs(xy) <= 1e-14 * Math.sqrt(xx * yy)) continue
        turned = true
        const zeta = (yy - xx) / (2 * xy)
        const tan = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta))
        const cos = 1 / Math.hypot(1, tan)
        rotate(x, y, cos, cos * tan)
        rotate(vx, vy, cos, cos * tan)
      }
  }
}

const identity = (n: number): Matrix.Matrix => Matrix.damped(Matrix.zeros(n, n), 1)

/** The rows of a matrix in another order, as many as there are in it. */
const rowsOf = (a: Matrix.Matrix, order: ReadonlyArray<number>): Matrix.Matrix => {
  const some = Matrix.zeros(order.length, a.columns)
  order.forEach((from, i) => {
    Matrix.row(some, i).set(Matrix.row(a, from))
  })
  return some
}

/**
 * All singular values and vectors of a matrix.
 *
 * - formula:  `A = U diag(s) V^T`, by rotations of the rows of A (or of its transpose, if that has fewer) until they are orthogonal
 * - shapes:   `a [m, n] -> left [k, m], values [k], right [k, n]`, `k = min(m, n)`; vectors of a singular value 0 are 0 on one side
 * - gradient: none
 * - errors:   none
 * - source:   Hestenes 1958, SIAM J. 6(1); Golub and Van Loan, Matrix Computations, section 8.6
 */
export const full = (a: Matrix.Matrix): Svd => {
  if (a.rows > a.columns) {
    const { left, values, right } = full(Matrix.transpose(a))
    return { left: right, values, right: left }
  }
  const [w, u] = [Matrix.copy(a), identity(a.rows)]
  orthogonalized(w, u)
  const sizes = Array.from({ length: w.rows }, (_, i) => Math.sqrt(dot(Matrix.row(w, i), Matrix.row(w, i))))
  const order = sizes.map((_, i) => i).sort((i, j) => (sizes[j] as number) - (sizes[i] as number) || i - j)
  const right = rowsOf(w, order)
  const values = Float64Array.from(order, (i) => sizes[i] as number)
  values.forEach((size, i) => {
    const row = Matrix.row(right, i)
    for (let j = 0; j < row.length; j++) row[j] = size > 0 ? (row[j] as number) / size : 0
  })
  return { left: rowsOf(u, order), values, right }
}

/** Rows that are orthogonal and of length 1, and span what those of `a` do; twice, since once is not exact. Rows that add nothing become 0. */
const orthonormal = (a: Matrix.Matrix): Matrix.Matrix => {
  const q = Matrix.copy(a)
  for (let i = 0; i < q.rows; i++) {
    const own = Matrix.row(q, i)
    const before = Math.sqrt(dot(own, own))
    for (const _ of [1, 2])
      for (let j = 0; j < i; j++) {
        const other = Matrix.row(q, j)
        const by = dot(own, other)
        for (let k = 0; k < own.length; k++) own[k] = (own[k] as number) - by * (other[k] as number)
      }
    const size = Math.sqrt(dot(own, own))
    for (let k = 0; k < own.length; k++) own[k] = size > 1e-12 * before ? (own[k] as number) / size : 0
  }
  return q
}

/** More directions than are asked for, and how often they are turned towards the largest singular values. */
const [more, powers] = [10, 4]

/**
 * The largest singular values and their vectors, exactly for a small matrix.
 *
 * - formula:  `Q` spans `(A^T A)^p A^T R`, R of random numbers; the singular values of `A Q` and its vectors, turned back by Q
 * - shapes:   `a [m, n] -> left [rank, m], values [rank], right [rank, n]`
 * - gradient: none
 * - errors:   none
 * - source:   Halko, Martinsson, Tropp 2011, arXiv:0909.4061 (algorithms 4.4 and 5.1)
 */
export const largest = (a: Matrix.Matrix, rank: number, random: Random.Random = Random.make(0)): Svd => {
  const [m, n] = [a.rows, a.columns]
  const count = rank + more
  const whole = count >= Math.min(m, n) || Math.min(m, n) <= 48
  const { left, values, right } = whole ? full(a) : projected(a, count, random)
  const first = (of: Matrix.Matrix): Matrix.Matrix =>
    Matrix.make(rank, of.columns, of.data.subarray(0, rank * of.columns))
  return { left: first(left), values: values.slice(0, rank), right: first(right) }
}

const projected = (a: Matrix.Matrix, count: number, random: Random.Random): Svd => {
  const [m, n] = [a.rows, a.columns]
  const turned = Matrix.transpose(a)
  const begin = Matrix.make(count, m, Random.normal(random, count * m, 0, 1))
  let q = orthonormal(Matrix.product(begin, a))
  for (let i = 0; i < powers; i++) q = orthonormal(Matrix.product(orthonormal(Matrix.product(q, turned)), a))
  // A Q^T [m, count], whose right vectors are those of A in the coordinates of Q
  const { left, values, right } = full(Matrix.product(q, turned))
  return { left: right, values, right: Matrix.make(count, n, Matrix.product(left, q).data) }
}
