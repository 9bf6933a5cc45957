/**
 * Greedy path following quantization on a matrix: each column makes up for what the columns before it have lost.
 *
 * Room: ptq (level 5). Imports: `./GptqMath.ts`, `./Matrix.ts`. Laws: test/ptq/Math.test.ts.
 */
import { columnsOf, orderOf, type Rounding, weightOf } from "./GptqMath.ts"
import * as Matrix from "./Matrix.ts"

/** How the inputs of a layer lie to each other: those that it gets in the quantized network, and those that it would get. */
export interface Covariances {
  /** of the quantized inputs: `X'^T X'` */
  readonly quantized: Matrix.Matrix
  /** of the quantized inputs with the float ones: `X'^T X` */
  readonly mixed: Matrix.Matrix
}

const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b)

/**
 * Rounds a weight so that its product with quantized inputs is near that of the float weight with float inputs.
 *
 * - formula:  column t becomes `w_t G_tt / H_tt + sum_s<t (w_s G_ts - q(w'_s) H_ts) / H_tt`, `H = X'^T X'`, `G = X'^T X`; an input
 *   that is always 0 gets the weight 0
 * - shapes:   `weight [m, n], covariances [n, n] -> weight [m, n]`, to be quantized once more
 * - gradient: none
 * - errors:   none
 * - source:   Lybrand and Saab 2021, arXiv:2010.15487; Zhang, Zhou and Saab 2023, arXiv:2201.11113
 */
export const gpfq = (
  { weight, quantize }: Rounding,
  { quantized, mixed }: Covariances,
  { actOrder = false }: { readonly actOrder?: boolean } = {}
): Matrix.Matrix => {
  const order = orderOf(Matrix.diagonal(quantized), actOrder)
  const [h, g] = [Matrix.permuted(quantized, order), Matrix.permuted(mixed, order)]
  const original = columnsOf(weight, order)
  const w = Matrix.copy(original)
  const rounded = Matrix.zeros(w.rows, w.columns)
  const before = Array.from({ length: w.rows }, (_, s) => Matrix.row(original, s))
  const after = Array.from({ length: w.rows }, (_, s) => Matrix.row(rounded, s))
  for (let t = 0; t < w.rows; t++) {
    const values = Matrix.row(w, t)
    const pivot = Matrix.at(h, t, t)
    const own = pivot === 0 ? 0 : ratio(Matrix.at(g, t, t), pivot)
    for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) * own
    const gains = before.slice(0, t).map((_, s) => -ratio(Matrix.at(g, t, s), pivot))
    const losses = after.slice(0, t).map((_, s) => ratio(Matrix.at(h, t, s), pivot))
    Matrix.subtractAll(values, before, gains)
    Matrix.subtractAll(values, after, losses)
    Matrix.row(rounded, t).set(quantize(order[t] as number, values))
  }
  return weightOf(w, order)
}
