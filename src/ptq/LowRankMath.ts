/**
 * A matrix as one that is quantized and one of low rank, whose sum is near it.
 *
 * Room: ptq (level 5). Imports: `tensor` types, `./Matrix.ts`, `./Svd.ts`. Laws: test/ptq/LowRank.test.ts.
 */
import type * as Random from "../tensor/Random.ts"
import * as Matrix from "./Matrix.ts"
import * as Svd from "./Svd.ts"

/** Two matrices whose product has a low rank. */
export interface Branch {
  /** `[inputs, rank]` */
  readonly down: Matrix.Matrix
  /** `[rank, outputs]` */
  readonly up: Matrix.Matrix
}

/**
 * The nearest matrix of a rank, as a product.
 *
 * - formula:  `A ~ (U diag(s)) V^T` with the largest singular values
 * - shapes:   `a [inputs, outputs] -> down [inputs, rank], up [rank, outputs]`
 * - gradient: none
 * - errors:   none
 * - source:   Eckart, Young 1936, Psychometrika 1(3); Li et al. 2024, arXiv:2411.05007
 */
export const branchOf = (a: Matrix.Matrix, rank: number, random?: Random.Random): Branch => {
  const { left, values, right } = Svd.largest(a, rank, random)
  const scaled = {
    ...left,
    data: left.data.map((value, i) => value * (values[Math.floor(i / left.columns)] as number))
  }
  return { down: Matrix.transpose(scaled), up: right }
}

/** What a branch leaves of a matrix: `A - down up`. */
export const restOf = (a: Matrix.Matrix, { down, up }: Branch): Matrix.Matrix => {
  const product = Matrix.product(down, up)
  return { ...a, data: a.data.map((value, i) => value - (product.data[i] as number)) }
}

/** `a - b`. */
export const difference = (a: Matrix.Matrix, b: Matrix.Matrix): Matrix.Matrix => ({
  ...a,
  data: a.data.map((value, i) => value - (b.data[i] as number))
})

/** The root of the sum of squares, of one matrix in units of another. */
export const relativeNorm = (a: Matrix.Matrix, b: Matrix.Matrix): number => {
  const norm = ({ data }: Matrix.Matrix): number => Math.sqrt(data.reduce((sum, value) => sum + value * value, 0))
  return norm(b) === 0 ? 0 : norm(a) / norm(b)
}
