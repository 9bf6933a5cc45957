/**
 * Accumulator-aware rounding: columns are rounded so that no sum of products with any input leaves an accumulator (AXE).
 *
 * Each output has a budget of integers that its columns may use up, one after the other. What a column may not have is an error like that
 * of rounding, so that the algorithm around it makes up for it by the columns to come.
 *
 * Room: ptq (level 5). Imports: `./GptqMath.ts` types, `./MagrMath.ts`, `./Matrix.ts`. Laws: test/ptq/Axe.test.ts.
 */
import type { Rounding } from "./GptqMath.ts"
import * as MagrMath from "./MagrMath.ts"
import * as Matrix from "./Matrix.ts"

/** A signed accumulator for the sums of a layer. */
export interface Accumulator {
  readonly bitWidth: number
  /**
   * how many products are added up in an accumulator of this width, columns in their order, before their sums are added up in a wider one;
   * absent: all of them
   */
  readonly tile?: number
}

/** The integers of inputs, their zero-point taken off: `low <= 0 <= high`. */
export interface Inputs {
  readonly low: number
  readonly high: number
}

/** What the integers of a weight are, and what they meet. */
export interface Grid {
  readonly inputs: Inputs
  /** of each output */
  readonly scales: ArrayLike<number>
  /** the integer that is added to the sum of an output, if there is one accumulator for all */
  readonly biases: ArrayLike<number>
}

/** The largest magnitude that an accumulator holds with either sign. */
const limitOf = ({ bitWidth }: Accumulator): number => 2 ** (bitWidth - 1) - 1

const largest = ({ low, high }: Inputs): number => Math.max(high, -low)

/**
 * How many bits a signed accumulator needs so that each output can have a weight of one step at all.
 *
 * - formula:  `1 + ceil(log2(max(high, -low) + |bias| + 1))`, of the output that needs most
 * - shapes:   `biases [outputs]`
 * - gradient: none
 * - errors:   none
 * - source:   Colbert et al. 2024, arXiv:2409.17092
 */
export const leastBits = ({ inputs, biases }: Pick<Grid, "inputs" | "biases">): number =>
  1 + Math.ceil(Math.log2(largest(inputs) + Array.from(biases).reduce((most, b) => Math.max(most, Math.abs(b)), 0) + 1))

/**
 * How many bits the accumulator for the sums of tiles needs, so that it holds them whatever they are.
 *
 * - formula:  `P + ceil(log2(tiles))`
 * - shapes:   none
 * - gradient: none
 * - errors:   none
 * - source:   Colbert et al. 2024, arXiv:2409.17092 (section 3.3)
 */
export const outerBits = ({ bitWidth, tile }: Accumulator, columns: number): number =>
  bitWidth + Math.ceil(Math.log2(Math.ceil(columns / (tile ?? columns))))

/**
 * By how much magnitudes shrink before they are rounded, for each tile and output: about what brings the tile, with its mean taken off, into
 * the budget.
 */
const thresholdsOf = (weight: Matrix.Matrix, tile: number, budget: number, scales: ArrayLike<number>): Float64Array => {
  const { rows: outputs, columns } = weight
  const thresholds = new Float64Array(Math.ceil(columns / tile) * outputs)
  for (let from = 0, at = 0; from < columns; from += tile, at += outputs)
    for (let i = 0; i < outputs; i++) {
      const scale = scales[i] as number
      const part = Matrix.row(weight, i).subarray(from, from + tile)
      const mean = part.reduce((sum, value) => sum + value, 0) / part.length
      const steps = part.map((value) => (value - mean) / scale)
      thresholds[at + i] = scale * MagrMath.threshold(steps, budget)
    }
  return thresholds
}

const within = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high)

/**
 * A rounding that keeps to an accumulator; it is for one walk over the columns, each once, in any order.
 *
 * - formula:  `q(clamp(sign(v) max(|v| - t, 0), s l, s u))`, l and u the integers for which `high p - low n <= 2^(P-1) - 1` and
 *   `high n - low p <= 2^(P-1) - 1` hold after them, p and n the sums of the positive and negative integers of the output (and tile) so far
 * - shapes:   `weight [outputs, columns]`
 * - gradient: none
 * - errors:   none; where a weight of one step does not fit, all are 0: ask `leastBits` before
 * - source:   Colbert et al. 2024, arXiv:2409.17092; Brevitas, examples/common/axe.py
 */
export const aware = ({ weight, quantize }: Rounding, accumulator: Accumulator, grid: Grid): Rounding => {
  const { rows: outputs, columns } = weight
  const { scales, biases } = grid
  const { low, high } = grid.inputs
  const tile = accumulator.tile ?? columns
  const limit = limitOf(accumulator)
  const thresholds = thresholdsOf(weight, tile, (2 * limit) / (high - low), scales)
  const positive = new Float64Array(thresholds.length)
  const negative = new Float64Array(thresholds.length)
  const biasOf = (i: number): number => (accumulator.tile === undefined ? (biases[i] ?? 0) : 0)
  /** how many steps up, and how many down, an output may still go */
  const room = (at: number, i: number): readonly [up: number, down: number] => {
    const [p, n, b] = [positive[at] as number, negative[at] as number, biasOf(i)]
    const [most, least] = [limit - Math.max(0, b), limit - Math.max(0, -b)]
    const steps = (left: number, by: number): number => (by > 0 ? left / by : Number.POSITIVE_INFINITY)
    const [above, below] = [most - high * p + low * n, least - high * n + low * p]
    const up = Math.min(steps(above, high), steps(below, -low))
    const down = Math.min(steps(below, high), steps(above, -low))
    return [Math.max(0, Math.floor(up)), Math.max(0, Math.floor(down))]
  }
  return {
    weight,
    quantize: (column, values) => {
      const first = Math.floor(column / tile) * outputs
      const rooms = Array.from({ length: outputs }, (_, i) => room(first + i, i))
      const wanted = values.map((value, i) => {
        const [up, down] = rooms[i] as readonly [number, number]
        const scale = scales[i] as number
        const shrunk = Math.sign(value) * Math.max(0, Math.abs(value) - (thresholds[first + i] as number))
        return within(shrunk, -down * scale, up * scale)
      })
      const rounded = quantize(column, wanted)
      for (let i = 0; i < outputs; i++) {
        const [up, down] = rooms[i] as readonly [number, number]
        const scale = scales[i] as number
        const asked = Math.round((rounded[i] as number) / scale)
        // a quantizer that rounds away from 0 may have left the budget again
        const q = within(asked, -down, up)
        if (q !== asked) rounded[i] = Math.fround(q * scale)
        if (q > 0) positive[first + i] = (positive[first + i] as number) + q
        else negative[first + i] = (negative[first + i] as number) - q
      }
      return rounded
    }
  }
}
