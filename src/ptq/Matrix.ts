/**
 * Dense matrices in double precision, row after row.
 *
 * Room: ptq (level 5). Imports: none. Laws: test/ptq/Math.test.ts.
 */

export interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array
}

// ---- constructors -------------------------------------------------------------------------------------------

/** Zeros. */
export const zeros = (rows: number, columns: number): Matrix => ({
  rows,
  columns,
  data: new Float64Array(rows * columns)
})

/** A matrix of these values, row after row, which are copied. */
export const make = (rows: number, columns: number, values: ArrayLike<number>): Matrix => ({
  rows,
  columns,
  data: Float64Array.from(values)
})

/** A matrix of its own with the same elements. */
export const copy = ({ rows, columns, data }: Matrix): Matrix => ({ rows, columns, data: data.slice() })

// ---- operations ---------------------------------------------------------------------------------------------

/** An element, its place counted from 0. */
export const at = ({ columns, data }: Matrix, row: number, column: number): number =>
  data[row * columns + column] as number

/** A row, sharing the memory of the matrix. */
export const row = ({ columns, data }: Matrix, i: number): Float64Array => data.subarray(i * columns, (i + 1) * columns)

/** Rows as columns. */
export const transpose = (a: Matrix): Matrix => {
  const t = zeros(a.columns, a.rows)
  for (let i = 0; i < a.rows; i++)
    for (let j = 0; j < a.columns; j++) t.data[j * a.rows + i] = a.data[i * a.columns + j] as number
  return t
}

/** The elements of the diagonal, copied. */
export const diagonal = (a: Matrix): Float64Array => Float64Array.from({ length: a.rows }, (_, i) => at(a, i, i))

/** As `permuted`, in the matrix itself: rows go round their cycles, then the elements of each row. */
export const permuteInPlace = (a: Matrix, order: ArrayLike<number>): Matrix => {
  const { rows: n, columns, data } = a
  const held = new Float64Array(columns)
  const done = new Uint8Array(n)
  for (let start = 0; start < n; start++) {
    if (done[start] === 1) continue
    held.set(row(a, start))
    let to = start
    for (let from = order[to] as number; from !== start; to = from, from = order[from] as number) {
      data.copyWithin(to * columns, from * columns, (from + 1) * columns)
      done[to] = 1
    }
    data.set(held, to * columns)
    done[to] = 1
  }
  for (let i = 0; i < n; i++) {
    held.set(row(a, i))
    for (let j = 0; j < columns; j++) data[i * columns + j] = held[order[j] as number] as number
  }
  return a
}

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
  const [n, depth, from] = [b.columns, a.columns, b.data]
  for (let i = 0; i < a.rows; i++) {
    const [to, x] = [row(c, i), row(a, i)]
    let k = 0
    // four rows of b at a time, so that c is read and written less often
    for (; k + 4 <= depth; k += 4) {
      const [p, q, r, s] = [x[k] as number, x[k + 1] as number, x[k + 2] as number, x[k + 3] as number]
      const at = k * n
      const [second, third, fourth] = [at + n, at + 2 * n, at + 3 * n]
      for (let j = 0; j < n; j++)
        to[j] =
          (to[j] as number) +
          (p * (from[at + j] as number) +
            q * (from[second + j] as number) +
            r * (from[third + j] as number) +
            s * (from[fourth + j] as number))
    }
    for (; k < depth; k++)
      for (let j = 0; j < n; j++) to[j] = (to[j] as number) + (x[k] as number) * (from[k * n + j] as number)
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
