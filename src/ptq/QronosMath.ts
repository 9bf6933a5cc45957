/**
 * Qronos on a matrix: the first column is solved against all others, the rest once more in closed form, then as GPTQ.
 *
 * Room: ptq (level 5). Imports: effect's `Result`, `./GpfqMath.ts`, `./GptqMath.ts`,
 * `./Factor.ts`, `./Matrix.ts`, `./Spread.ts`. Laws: test/ptq/Math.test.ts.
 */
import { Result } from "effect"
import * as Factor from "./Factor.ts"
import type { Covariances } from "./GpfqMath.ts"
import { orderOf, type Rounding } from "./GptqMath.ts"
import * as Matrix from "./Matrix.ts"
import * as Spread from "./Spread.ts"

export interface Options {
  /** where the search for the largest eigenvalue begins; default: ones */
  readonly start?: ArrayLike<number>
  readonly actOrder?: boolean
  readonly blockSize?: number
  /** what the first column becomes: the value to be rounded, or what the quantizer made of it; default: "value" */
  readonly keep?: "value" | "rounded"
  /** added to the diagonal, in units of the largest eigenvalue; default: 1e-6 */
  readonly damping?: number
}

/** `(G - H) w`, all columns for each: what the float inputs differ by. */
const differences = (w: Matrix.Matrix, h: Matrix.Matrix, g: Matrix.Matrix): Matrix.Matrix => {
  const off = { ...g, data: g.data.map((value, i) => value - (h.data[i] as number)) }
  return off.data.every((value) => value === 0) ? Matrix.zeros(w.rows, w.columns) : Matrix.product(off, w)
}

/** A matrix without its first row and column. */
const inner = (a: Matrix.Matrix): Matrix.Matrix => {
  const rest = Matrix.zeros(a.rows - 1, a.columns - 1)
  for (let i = 1; i < a.rows; i++) Matrix.row(rest, i - 1).set(Matrix.row(a, i).subarray(1))
  return rest
}

/** Adds to the columns after the first what makes up for the inputs, and for what the first has lost. */
const solveRest = (
  w: Matrix.Matrix,
  sums: Matrix.Matrix,
  lost: Float64Array,
  factor: Matrix.Matrix,
  h: Matrix.Matrix
) => {
  const right = Matrix.make(w.rows - 1, w.columns, sums.data.subarray(w.columns))
  for (let j = 1; j < w.rows; j++) {
    const [to, by] = [Matrix.row(right, j - 1), Matrix.at(h, j, 0)]
    for (let i = 0; i < to.length; i++) to[i] = (to[i] as number) + by * (lost[i] as number)
  }
  const { data } = Factor.solve(inner(factor), right)
  for (let i = 0; i < data.length; i++) w.data[w.columns + i] = (w.data[w.columns + i] as number) + (data[i] as number)
}

/**
 * Rounds a weight so that its product with quantized inputs is near that of the float weight with float inputs, correcting the errors of
 * the inputs first.
 *
 * - formula:  with `H = X'^T X' / n`, `G = X^T X' / n`, `d = 1e-6 * largest eigenvalue`: `w_0 = (w G_0 - w_1.. H_0,1..) / H_00`, then
 *   `w_1.. = (w (G + d I)_1.. - q(w_0) H_0,1..) A`, `A` the inverse of `H + d I` without its first variable; then as GPTQ with `A = U^T U`;
 *   computed as what is added to w, which cancels less: `w (G - H)_0 / H_00`, then `(w (G - H)_1.. + (w - q(w_0)) H_0,1..) A`
 * - shapes:   `weight [m, n], covariances [n, n] -> weight [m, n]`
 * - gradient: none
 * - errors:   `NotPositive` where the damped covariance has no inverse
 * - source:   Zhang et al. 2025, arXiv:2505.11695
 */
export const qronos = (
  { weight, quantize }: Rounding,
  { quantized, mixed }: Covariances,
  { actOrder = false, damping = 1e-6, blockSize = 32, keep = "value", ...options }: Options = {}
): Result.Result<Matrix.Matrix, Factor.NotPositive> => {
  const order = orderOf(Matrix.diagonal(quantized), actOrder)
  const h = Matrix.permuted(quantized, order)
  const columns = Spread.columnsOf(weight, order)
  const w = Matrix.make(order.length, columns.length, columns.data)
  const start = options.start ?? Float64Array.from({ length: h.rows }, () => 1)
  const damp = damping * Matrix.largestEigenvalue(h, start, 30)
  return Result.map(Factor.lowerInPlace(Matrix.damped(h, damp)), (factor) => {
    const sums = differences(w, h, Matrix.permuted(mixed, order))
    const pivot = Matrix.at(h, 0, 0)
    const first = Matrix.row(w, 0).map((value, i) => (pivot === 0 ? 0 : value + (sums.data[i] as number) / pivot))
    const rounded = quantize(order[0] as number, first)
    const lost = Matrix.row(w, 0).map((value, i) => value - (rounded[i] as number))
    if (w.rows > 1) solveRest(w, sums, lost, factor, h)
    columns.data.set(w.data)
    columns.data.set(keep === "rounded" ? rounded : first)
    Spread.walk({
      weight: columns,
      sums: Spread.zeros(w.rows, w.columns),
      factor,
      quantize: (t, values) => quantize(order[t] as number, values),
      keep: "rounded",
      blockSize,
      from: 1
    })
    return Spread.weightOf(columns, order)
  })
}
