/**
 * How floats become the first integers of a network.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts`, `./GraphConstants.ts`, `./IntegerProgram.ts` types.
 * Laws: test/exchange/IntegerNetwork.test.ts.
 */
import * as Graph from "./Graph.ts"
import * as GraphConstants from "./GraphConstants.ts"
import type { Input, Integers } from "./IntegerProgram.ts"

/** The floats as the first grid gets them, each step rounded to float32 as training does. */
const prepared = ({ before = [] }: Input, values: Float32Array): Float32Array =>
  before.reduce((x, { factor, offset }) => x.map((v) => Math.fround(Math.fround(v * factor) + offset)), values)

/** How the floats are rounded: the positions in steps, and the ends. Signs are whole numbers below 0, or not. */
export const roundingOf = (input: Input, values: Float32Array) => {
  const x = prepared(input, values)
  const { grid } = input
  const scale = grid.scale.data[0] as number
  if (grid.kind === "binary") {
    const moved = (i: number): number => (x[i] as number) / scale
    return { rounding: "floor", low: -1, high: 0, by: 2, base: 1, moved } as const
  }
  const [low, high] = Graph.boundsOf(grid)
  const zero = grid.zeroPoint.data[0] ?? 0
  const moved = (i: number): number => Math.fround(Math.fround((x[i] as number) / scale) + zero)
  return { rounding: grid.rounding, low, high, by: 1, base: 0, moved } as const
}

/** Floats on the grid of an input, as the first quantizer puts them. NaN becomes the zero-point. */
export const quantized = (input: Input, values: Float32Array, shape: ReadonlyArray<number>): Integers => {
  const data = prepared(input, values)
  const { grid } = input
  if (grid.kind === "binary") return { shape, data: Int32Array.from(data, (v) => (v >= 0 ? 1 : -1)) }
  const zero = grid.zeroPoint.data[0] ?? 0
  const whole = GraphConstants.formula({ shape, data }, grid) ?? new Float64Array(values.length)
  return { shape, data: Int32Array.from(whole, (q) => (Number.isNaN(q) ? zero : q)) }
}
