/**
 * How large the sums of a layer of integers can become, whatever its input and in whatever order they are added up.
 *
 * Room: exchange (level 5). Imports: `./IntegerProgram.ts` types. Laws: test/exchange/IntegerNetwork.test.ts.
 */
import type { Integers, Meaning } from "./IntegerProgram.ts"

export interface Range {
  readonly low: number
  readonly high: number
}

/** How many bits a signed integer needs for a range. */
export const signedBits = ({ low, high }: Range): number => {
  const bits = (size: number): number => Math.ceil(Math.log2(size + 1))
  return 1 + Math.max(bits(Math.max(high, 0)), low < 0 ? bits(-low - 1) : 0)
}

/**
 * The range of all partial sums.
 *
 * - formula:  per output `high = max(b, 0) + Σ max(0, w l, w h)` over the weights of the output, `l` and `h` the ends of the input
 *             without its zero-point; `low` likewise
 * - shapes:   `weight [..., in, out]`, one bias for each output
 * - gradient: none
 * - errors:   none
 * - source:   none
 *
 * @category export
 * @since 0.3.0
 */
export const ofProducts = (
  op: "linear" | "conv" | "scaleBias",
  weight: Integers,
  bias: Float64Array | undefined,
  { low, high, zeroPoint }: Meaning
): Range => {
  const outputs = weight.shape.at(-1) ?? 1
  const [least, most] = [Math.min(low - zeroPoint, 0), Math.max(high - zeroPoint, 0)]
  const lows = new Float64Array(outputs)
  const highs = new Float64Array(outputs)
  for (let i = 0; i < weight.data.length; i++) {
    const w = weight.data[i] as number
    const o = op === "scaleBias" ? i : i % outputs
    lows[o] = (lows[o] as number) + Math.min(w * least, w * most)
    highs[o] = (highs[o] as number) + Math.max(w * least, w * most)
  }
  const added = (o: number): number => (bias === undefined ? 0 : (bias[o] as number))
  return {
    low: lows.reduce((lowest, sum, o) => Math.min(lowest, sum + Math.min(0, added(o))), 0),
    high: highs.reduce((highest, sum, o) => Math.max(highest, sum + Math.max(0, added(o))), 0)
  }
}

/** Of so many integers of one value. */
export const ofSum = ({ low, high, zeroPoint }: Meaning, count: number): Range => ({
  low: Math.min(0, low - zeroPoint) * count,
  high: Math.max(0, high - zeroPoint) * count
})

/** Of two values. */
export const ofSums = (a: Meaning, b: Meaning): Range => ({
  low: a.low - a.zeroPoint + b.low - b.zeroPoint,
  high: a.high - a.zeroPoint + b.high - b.zeroPoint
})
