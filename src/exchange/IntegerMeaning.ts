/**
 * Between integers and the floats that they mean.
 *
 * Room: exchange (level 5). Imports: `./IntegerProgram.ts` types. Laws: test/exchange/IntegerNetwork.test.ts.
 */
import type { Meaning } from "./IntegerProgram.ts"

const of = (numbers: Float64Array, i: number): number =>
  numbers[numbers.length === 1 ? 0 : i % numbers.length] as number

/** The float that the integer in a place means. */
export const floatOf = ({ scale, offset, zeroPoint }: Meaning, q: number, i: number): number =>
  (q - zeroPoint) * of(scale, i) + (offset === undefined ? 0 : of(offset, i))

/** Where a float lies on the grid of a place, in steps. */
export const stepOf = ({ scale, offset, zeroPoint }: Meaning, x: number, i: number): number =>
  (x - (offset === undefined ? 0 : of(offset, i))) / of(scale, i) + zeroPoint
