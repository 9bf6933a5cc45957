/**
 * Greedy path following quantization on a matrix: each column makes up for what the columns before it have lost.
 *
 * Room: ptq (level 5). Imports: `./GptqMath.ts`, `./Matrix.ts`, `./Spread.ts`. Laws: test/ptq/Math.test.ts.
 */
import { arranged, orderOf, type Rounding } from "./GptqMath.ts"
import * as Matrix from "./Matrix.ts"
import * as Spread from "./Spread.ts"

/** How the inputs of a layer lie to each other: those that it gets in the quantized network, and those that it would get. */
export interface Covariances {
  /** of the quantized inputs: `X'^T X'` */
  readonly quantized: Matrix.Matrix
  /** of the quantized inputs with the float ones: `X'^T X` */
  readonly mixed: Matrix.Matrix
}

export interface Options {
  /** the columns with the largest inputs first; default: false */
  readonly actOrder?: boolean
  /** how many columns are done one by one; changes nothing but the speed and last bits; default: 32 */
  readonly blockSize?: number
  /** what a column becomes: the value to be rounded, or what the quantizer made of it; default: "value" */
  readonly keep?: "value" | "rounded"
  /** whether the matrices of the inputs may be written over: two Hessians less in memory; default: false */
  readonly overwrite?: boolean
}

/** `(G - H) w` of the columns so far, with each column's own: what the float inputs differ by. G becomes G - H. */
const differences = (w: Spread.Columns, h: Matrix.Matrix, g: Matrix.Matrix): Spread.Columns => {
  const sums = Spread.zeros(h.rows, w.length)
  for (let i = 0; i < g.data.length; i++) g.data[i] = (g.data[i] as number) - (h.data[i] as number)
  if (g.data.some((value) => value !== 0)) Spread.addLower(sums, g, w)
  return sums
}

/**
 * Rounds a weight so that its product with quantized inputs is near that of the float weight with float inputs.
 *
 * - formula:  column t becomes `w_t G_tt / H_tt + sum_s<t (w_s G_ts - q(w'_s) H_ts) / H_tt`, `H = X'^T X'`, `G = X'^T X`, computed as
 *   `w_t + (sum_s<=t w_s (G - H)_ts + sum_s<t (w_s - q(w'_s)) H_ts) / H_tt`, which cancels less; an input that is always 0 gets the
 *   weight 0
 * - shapes:   `weight [m, n], covariances [n, n] -> weight [m, n]`, to be quantized once more unless it is kept as rounded
 * - gradient: none
 * - errors:   none
 * - source:   Lybrand and Saab 2021, arXiv:2010.15487; Zhang, Zhou and Saab 2023, arXiv:2201.11113
 */
export const gpfq = (
  { weight, quantize }: Rounding,
  { quantized, mixed }: Covariances,
  { actOrder = false, blockSize = 32, keep = "value", overwrite = false }: Options = {}
): Matrix.Matrix => {
  const order = orderOf(Matrix.diagonal(quantized), actOrder)
  const h = arranged(quantized, order, overwrite)
  const w = Spread.columnsOf(weight, order)
  const sums =
    mixed === quantized ? Spread.zeros(h.rows, w.length) : differences(w, h, arranged(mixed, order, overwrite))
  const rounded = (t: number, values: Float64Array): Float64Array => quantize(order[t] as number, values)
  Spread.walk({ weight: w, sums, factor: h, quantize: rounded, keep, blockSize })
  return Spread.weightOf(w, order)
}
