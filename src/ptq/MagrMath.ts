/**
 * MagR on a matrix: weights with smaller largest magnitudes, whose product with the inputs changes little.
 *
 * Room: ptq (level 5). Imports: `./Matrix.ts`. Laws: test/ptq/Math.test.ts.
 */
import * as Matrix from "./Matrix.ts"

export interface Options {
  /** how much the largest magnitude counts; default: 0.1 */
  readonly alpha?: number
  /** default: 10 */
  readonly steps?: number
  /** where the search for the largest eigenvalue begins; default: ones */
  readonly start?: ArrayLike<number>
}

/** By how much magnitudes shrink on the way to the nearest point whose magnitudes sum up to at most `radius`. */
export const threshold = (x: Float64Array, radius = 1): number => {
  const sum = x.reduce((total, value) => total + Math.abs(value), 0)
  if (sum < radius) return 0
  const sizes = x.map(Math.abs).sort().reverse()
  const found = { theta: 0, total: 0 }
  sizes.forEach((size, i) => {
    found.total += size
    if (size * (i + 1) > found.total - radius) found.theta = (found.total - radius) / (i + 1)
  })
  return found.theta
}

/** The nearest point whose magnitudes sum up to at most 1. */
export const ontoBall = (x: Float64Array): Float64Array => {
  const theta = threshold(x)
  return x.map((value) => Math.sign(value) * Math.max(0, Math.abs(value) - theta))
}

/** The largest sum of magnitudes in a column. */
const columnNorm = (a: Matrix.Matrix): number => {
  const sums = new Float64Array(a.columns)
  for (let i = 0; i < a.rows; i++)
    for (let j = 0; j < a.columns; j++) sums[j] = (sums[j] as number) + Math.abs(Matrix.at(a, i, j))
  return sums.reduce((most, sum) => Math.max(most, sum), 0)
}

/**
 * Weights with smaller largest magnitudes.
 *
 * - formula:  `w <- v - a P(v / a)`, `v = w - eta (w - w0) H`, P the projection of each row onto the unit l1 ball,
 *   `eta = 1 / largest eigenvalue of H`, `a = alpha / (eta |H|_1)`; as many steps as are asked for
 * - shapes:   `weight [m, n], covariance [n, n] -> weight [m, n]`
 * - gradient: none
 * - errors:   none; where all inputs are 0 the weight stays
 * - source:   Zhang et al. 2024, arXiv:2406.00800
 */
export const magr = (weight: Matrix.Matrix, covariance: Matrix.Matrix, options: Options = {}): Matrix.Matrix => {
  const { alpha = 0.1, steps = 10 } = options
  const start = options.start ?? Float64Array.from({ length: covariance.rows }, () => 1)
  const largest = Matrix.largestEigenvalue(covariance, start, 30)
  if (!(largest > 0)) return Matrix.copy(weight)
  const eta = 1 / largest
  const size = alpha / (eta * columnNorm(covariance))
  const step = (w: Matrix.Matrix): Matrix.Matrix => {
    const moved = Matrix.product(
      { ...w, data: w.data.map((value, i) => value - (weight.data[i] as number)) },
      covariance
    )
    const next = Matrix.zeros(w.rows, w.columns)
    for (let i = 0; i < w.rows; i++) {
      const v = Matrix.row(w, i).map((value, j) => value - eta * Matrix.at(moved, i, j))
      const near = ontoBall(v.map((value) => value / size))
      Matrix.row(next, i).set(v.map((value, j) => value - size * (near[j] as number)))
    }
    return next
  }
  return Array.from({ length: steps }).reduce<Matrix.Matrix>((w) => step(w), weight)
}
