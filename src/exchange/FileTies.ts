/**
 * Whether another choice of roundings at ties explains what a file answers: it is computed again in plain arrays, with the other
 * neighbour wherever a rounding came near a tie.
 *
 * Room: exchange (level 5). Imports: `./IntegerTies.ts`, `./OnnxEvaluator.ts`, `./OnnxQuantNodes.ts`, types.
 * Laws: test/exchange/FloatComparison.test.ts.
 */
import * as IntegerTies from "./IntegerTies.ts"
import * as OnnxEvaluator from "./OnnxEvaluator.ts"
import type { Rounding } from "./OnnxQuantNodes.ts"
import type { Floats } from "./OnnxRuntime.ts"

export interface Options extends IntegerTies.Options {
  /** how far floats may be apart, as a part of the largest of them */
  readonly tolerance: number
}

/** A rounding that came near a tie: of which node, and what the neighbour that it did not go to means. */
export interface Tie {
  readonly step: number
  readonly at: number
  readonly other: number
}

/** How far each of two rows of numbers lies from the other, as a part of the largest in size; what is not finite is far. */
export const distances = (a: Float32Array, b: Float32Array): ReadonlyArray<number> => {
  const largest = a.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
  return Array.from(a, (v, i) => {
    const other = b[i] ?? Number.NaN
    if (Object.is(v, other) || v === other) return 0
    const distance = Math.abs(v - other) / largest
    return Number.isFinite(distance) ? distance : Number.MAX_VALUE
  })
}

const near = ({ position, mode, value }: Rounding, step: number, to: Float64Array, distance: number) => {
  const half = mode === "nearest" ? 0.5 : 0
  const ties: Array<Tie> = []
  for (let at = 0; at < to.length; at++) {
    const moved = position(at)
    const decides = moved + half
    if (!(Math.abs(decides - Math.round(decides)) <= distance)) continue
    const lower = IntegerTies.lowerOf(mode, moved)
    if (lower === undefined) continue
    const others = [lower, lower + 1].map((q) => Math.fround(value(at, q))).filter((other) => other !== to[at])
    if (others.length === 1) ties.push({ step, at, other: others[0] as number })
  }
  return ties
}

/**
 * The roundings that make of one input the numbers `wanted`, when they go the other way; undefined: none were found.
 *
 * - formula:  `f(x; turned) = wanted` to within the tolerance, every turned rounding within `distance` of its tie
 * - shapes:   one input in the layout of the file, `wanted` of one output
 * - gradient: none
 * - errors:   none
 * - source:   none
 *
 * @category export
 * @since 0.5.0
 */
export const explain = (
  program: OnnxEvaluator.Program,
  x: Floats,
  wanted: Float32Array,
  options: Options
): ReadonlyArray<Tie> | undefined =>
  IntegerTies.search<Tie>((turned) => {
    const ties: Array<Tie> = []
    const answer = OnnxEvaluator.computed(program, x, (step, data, rounding) => {
      if (rounding === undefined) return data
      ties.push(...near(rounding, step, data, options.distance))
      const mine = turned.filter((tie) => tie.step === step)
      if (mine.length === 0) return data
      const other = data.slice()
      for (const tie of mine) other[tie.at] = tie.other
      return other
    })
    return { isWanted: distances(answer.data, wanted).every((d) => d <= options.tolerance), ties }
  }, options.attempts)
