import { Result } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Factor from "../../src/ptq/Factor.ts"
import * as Matrix from "../../src/ptq/Matrix.ts"
import * as Random from "../../src/tensor/Random.ts"

const drawn = (rows: number, columns: number, seed: number): Matrix.Matrix =>
  Matrix.make(rows, columns, Random.normal(Random.make(seed), rows * columns, 0, 1))

/** A symmetric positive matrix. */
const positive = (n: number, seed: number): Matrix.Matrix => {
  const x = drawn(n, 2 * n, seed)
  return Matrix.damped(Matrix.product(x, Matrix.transpose(x)), n / 4)
}

const close = (a: Matrix.Matrix, b: Matrix.Matrix, within: number): void => {
  expect([a.rows, a.columns]).toEqual([b.rows, b.columns])
  const off = a.data.reduce((most, value, i) => Math.max(most, Math.abs(value - (b.data[i] as number))), 0)
  expect(off).toBeLessThanOrEqual(within)
}

/** Sizes below, at and above those of a block. */
const size = fc.constantFrom(1, 2, 5, 13, 31, 32, 33, 64, 67)
const seed = fc.integer({ min: 1, max: 1000 })
const right = <A>(result: Result.Result<A, Factor.NotPositive>): A => Result.getOrThrow(result)

describe("Factor", () => {
  it("L^T L is the matrix, L is lower triangular, and the matrix stays as it was", () =>
    fc.assert(
      fc.property(size, seed, (n, seed) => {
        const a = positive(n, seed)
        const before = Matrix.copy(a)
        const l = right(Factor.lower(a))
        expect(a).toEqual(before)
        for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) expect(Matrix.at(l, i, j)).toBe(0)
        close(Matrix.product(Matrix.transpose(l), l), a, 1e-10 * n)
      }),
      { numRuns: 30 }
    ))

  it("the factor without its first row and column is that of the matrix without them", () => {
    const a = positive(40, 3)
    const inner = ({ rows, columns, data }: Matrix.Matrix): Matrix.Matrix =>
      Matrix.make(
        rows - 1,
        columns - 1,
        [...data].filter((_, i) => i >= columns && i % columns > 0)
      )
    close(inner(right(Factor.lower(a))), right(Factor.lower(inner(a))), 1e-12)
  })

  it("solves systems", () =>
    fc.assert(
      fc.property(size, fc.integer({ min: 1, max: 9 }), seed, (n, m, seed) => {
        const [a, b] = [positive(n, seed), drawn(n, m, seed + 1)]
        close(Matrix.product(a, Factor.solve(right(Factor.lower(a)), b)), b, 1e-9)
      }),
      { numRuns: 30 }
    ))

  it("a matrix that is not positive, or not finite, has none", () => {
    expect(Factor.lower(Matrix.make(2, 2, [1, 1, 1, 1]))).toEqual(Result.fail({ row: 0 }))
    expect(Factor.lower(Matrix.make(2, 2, [1, 0, 0, -1]))).toEqual(Result.fail({ row: 1 }))
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(Factor.lower(Matrix.make(1, 1, [value]))).toEqual(Result.fail({ row: 0 }))
    const late = positive(70, 5)
    late.data[4 * 70 + 4] = -1e-9
    expect(Factor.lower(late)).toEqual(Result.fail({ row: 4 }))
  })
})
