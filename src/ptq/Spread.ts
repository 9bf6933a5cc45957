/**
 * The walk over the columns of a weight that GPTQ, GPFQ and Qronos have in common: each column takes up what those before it have lost.
 *
 * The value of a column is its weight and the losses of the columns before it, each by the element of a lower triangular matrix; none
 * needs an inverse. The walk goes by halves: the losses of the first half go into the sums of the second as one product of matrices, on
 * the backend of TensorFlow.js and in single precision. What is within a block, and the matrix itself, is in double precision.
 *
 * Room: ptq (level 5). Imports: tfjs, `op`, `./Matrix.ts`. Laws: test/ptq/Math.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Linalg from "../op/Linalg.ts"
import * as Matrix from "./Matrix.ts"

/** A weight on its way, column by column in the order of the work: in single precision, as layers store it. */
export interface Columns {
  /** how many values a column has */
  readonly length: number
  readonly data: Float32Array
}

export interface Walk {
  readonly weight: Columns
  /** what is added to a column before it is divided by its pivot: at first 0 or what is known before */
  readonly sums: Columns
  /** lower triangular: how much of what is lost by column s goes to column t, row by row; the diagonal are the pivots */
  readonly factor: Matrix.Matrix
  /** what the quantizer makes of the t-th column of the work */
  readonly quantize: (t: number, values: Float64Array) => Float64Array
  /** whether a column becomes what the quantizer made of it, or the value that it was given */
  readonly keep: "rounded" | "value"
  /** how many columns are done one by one; changes nothing but the speed and last bits; default: 32 */
  readonly blockSize?: number
  /** the first column of the work; default: 0 */
  readonly from?: number
}

/** Products of fewer multiplications than these are not worth the way to the backend. */
const worth = 1 << 16

// ---- columns ------------------------------------------------------------------------------------------------

export const zeros = (count: number, length: number): Columns => ({ length, data: new Float32Array(count * length) })

/** A weight column by column, in the order of the work. */
export const columnsOf = ({ rows, columns, data }: Matrix.Matrix, order: ReadonlyArray<number>): Columns => {
  const w = zeros(columns, rows)
  // a strip of rows at a time, so that what is read stays in the cache
  for (let i = 0; i < rows; i += 16)
    for (let t = 0; t < columns; t++) {
      const [from, to, end] = [i * columns + (order[t] as number), t * rows, Math.min(rows, i + 16)]
      for (let r = i, at = from; r < end; r++, at += columns) w.data[to + r] = data[at] as number
    }
  return w
}

/** The weight back from its columns. */
export const weightOf = ({ length, data }: Columns, order: ReadonlyArray<number>): Matrix.Matrix => {
  const weight = Matrix.zeros(length, order.length)
  const { columns } = weight
  for (let i = 0; i < length; i += 16)
    for (let t = 0; t < columns; t++) {
      const [to, from, end] = [i * columns + (order[t] as number), t * length, Math.min(length, i + 16)]
      for (let r = i, at = to; r < end; r++, at += columns) weight.data[at] = data[from + r] as number
    }
  return weight
}

// ---- products -----------------------------------------------------------------------------------------------

/** The elements of some rows and columns of a matrix, in single precision. */
const part = ({ columns, data }: Matrix.Matrix, [top, bottom]: Range, [left, right]: Range): Float32Array => {
  const to = new Float32Array((bottom - top) * (right - left))
  for (let i = top, at = 0; i < bottom; i++)
    for (let j = left; j < right; j++) to[at++] = data[i * columns + j] as number
  return to
}

type Range = readonly [from: number, to: number]

/** `sums_t += sum_s matrix_ts columns_s` for t and s in these ranges. */
const addProduct = (sums: Columns, matrix: Matrix.Matrix, columns: Columns, rows: Range, inner: Range): void => {
  const { length } = sums
  const [m, k] = [rows[1] - rows[0], inner[1] - inner[0]]
  const to = sums.data.subarray(rows[0] * length, rows[1] * length)
  const b = columns.data.subarray(inner[0] * length, inner[1] * length)
  const a = part(matrix, rows, inner)
  const add = (product: ArrayLike<number>): void => {
    for (let i = 0; i < to.length; i++) to[i] = (to[i] as number) + (product[i] as number)
  }
  if (m * k * length < worth) add(small(a, b, [m, k, length]))
  else tf.tidy(() => add(Linalg.matMul(tf.tensor2d(a, [m, k]), tf.tensor2d(b, [k, length])).dataSync()))
}

/** The product of small matrices, in double precision. */
const small = (
  a: Float32Array,
  b: Float32Array,
  [m, k, n]: readonly [m: number, k: number, n: number]
): Float64Array => {
  const c = new Float64Array(m * n)
  for (let i = 0; i < m; i++)
    for (let j = 0; j < k; j++) {
      const x = a[i * k + j] as number
      for (let l = 0; l < n; l++) c[i * n + l] = (c[i * n + l] as number) + x * (b[j * n + l] as number)
    }
  return c
}

/** Goes through a range by halves, down to blocks: after the first half of each, `between` hands over what it gives to the second. */
const byHalves = (
  [from, to]: Range,
  blockSize: number,
  each: (t: number, from: number) => void,
  between: (second: Range, first: Range) => void
): void => {
  if (to - from <= blockSize) for (let t = from; t < to; t++) each(t, from)
  else {
    const middle = from + Math.ceil((to - from) / blockSize / 2) * blockSize
    byHalves([from, middle], blockSize, each, between)
    between([middle, to], [from, middle])
    byHalves([middle, to], blockSize, each, between)
  }
}

/** `sums += M columns` with the lower half of a matrix, its diagonal included. */
export const addLower = (sums: Columns, matrix: Matrix.Matrix, columns: Columns, blockSize = 32): void => {
  const { length, data } = sums
  const one = (t: number, from: number): void => {
    const all = losses(matrix, columns, t, [from, t + 1])
    for (let i = 0, at = t * length; i < length; i++, at++) data[at] = (data[at] as number) + (all[i] as number)
  }
  byHalves([0, matrix.rows], blockSize, one, (rows, inner) => addProduct(sums, matrix, columns, rows, inner))
}

/** `sum_s matrix_ts columns_s` for s in this range, in double precision. */
const losses = (matrix: Matrix.Matrix, { length, data }: Columns, t: number, [from, to]: Range): Float64Array => {
  const all = new Float64Array(length)
  const row = t * matrix.columns
  let s = from
  for (; s + 4 <= to; s += 4) {
    const a = s * length
    const [b, c, d] = [a + length, a + 2 * length, a + 3 * length]
    const [w, x] = [matrix.data[row + s] as number, matrix.data[row + s + 1] as number]
    const [y, z] = [matrix.data[row + s + 2] as number, matrix.data[row + s + 3] as number]
    for (let i = 0; i < length; i++)
      all[i] =
        (all[i] as number) +
        (w * (data[a + i] as number) +
          x * (data[b + i] as number) +
          y * (data[c + i] as number) +
          z * (data[d + i] as number))
  }
  for (; s < to; s++) {
    const [a, w] = [s * length, matrix.data[row + s] as number]
    for (let i = 0; i < length; i++) all[i] = (all[i] as number) + w * (data[a + i] as number)
  }
  return all
}

// ---- the walk -----------------------------------------------------------------------------------------------

/**
 * Rounds the columns one after the other. `weight` becomes the answer, `sums` what each column has lost.
 *
 * - formula:  `v_t = w_t + (sums_t + sum_s<t F_ts d_s) / F_tt`, `d_t = w_t - q(v_t)`; a column with the pivot 0 gets the value 0
 * - shapes:   `weight, sums [n, m], factor [n, n] -> weight [n, m]`
 * - gradient: none
 * - errors:   none
 * - source:   Frantar et al. 2022, arXiv:2210.17323, in the form without an inverse: the losses of GPTQ's updates are `d = e U` with
 *   `U = F^-1`, so that its errors are `e = d F`
 */
export const walk = ({ weight, sums, factor, quantize, keep, blockSize = 32, from: first = 0 }: Walk): void => {
  const { length, data } = weight
  const one = (t: number, from: number): void => {
    const values = losses(factor, sums, t, [from, t])
    const [at, pivot] = [t * length, Matrix.at(factor, t, t)]
    for (let i = 0; i < length; i++)
      values[i] =
        pivot === 0 ? 0 : (data[at + i] as number) + ((values[i] as number) + (sums.data[at + i] as number)) / pivot
    const rounded = quantize(t, values)
    for (let i = 0; i < length; i++) sums.data[at + i] = (data[at + i] as number) - (rounded[i] as number)
    data.set(keep === "rounded" ? rounded : values, at)
  }
  byHalves([first, factor.rows], blockSize, one, (rows, inner) => addProduct(sums, factor, sums, rows, inner))
}
