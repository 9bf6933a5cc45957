/**
 * Whether another choice of roundings at ties explains an answer: the integers are computed again with the other neighbour wherever a
 * rounding came near a tie, one rounding at a time and then together, until the answer comes out or none is left.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts` types, `./IntegerExecutor.ts`, `./IntegerInput.ts`, `./IntegerProgram.ts`.
 * Laws: test/exchange/IntegerTies.test.ts.
 */
import type * as Graph from "./Graph.ts"
import * as Executor from "./IntegerExecutor.ts"
import * as IntegerInput from "./IntegerInput.ts"
import type { IntegerNetwork, Integers } from "./IntegerProgram.ts"

/** A rounding that came near a tie: which one, and the neighbour that it did not go to. Step -1 is that of the input. */
export interface Tie {
  readonly step: number
  readonly at: number
  readonly other: number
}

export interface Options {
  /** how near a tie a rounding has to come, in steps, to be tried the other way */
  readonly distance: number
  /** how many choices are tried */
  readonly attempts: number
}

/** The lower one of the two integers between which the last bit of a number near a tie decides; undefined: both are the same. */
export const lowerOf = (rounding: Graph.Rounding, moved: number): number | undefined => {
  const whole = Math.round(moved)
  switch (rounding) {
    case "floor":
      return whole - 1
    case "ceil":
      return whole
    case "toZero":
      return whole === 0 ? undefined : whole > 0 ? whole - 1 : whole
    default:
      return Math.round(moved + 0.5) - 1
  }
}

/** What rounds numbers to integers within bounds. */
interface Rounds {
  readonly step: number
  /** what a whole number becomes: `by u + base` */
  readonly by?: number
  readonly base?: number
  readonly rounding: Graph.Rounding
  readonly low: number
  readonly high: number
  /** the number before it is rounded */
  readonly moved: (i: number) => number
}

/** The near ties of roundings; those that clamping makes the same are none. */
const near = (rounds: Rounds, to: Int32Array, distance: number): ReadonlyArray<Tie> => {
  const { step, rounding, low, high, moved, by = 1, base = 0 } = rounds
  const ties: Array<Tie> = []
  const half = rounding === "nearest" || rounding === "other" ? 0.5 : 0
  for (let i = 0; i < to.length; i++) {
    const value = moved(i)
    if (!(value >= low - 0.75 && value <= high + 0.75)) continue
    const decides = value + half
    if (!(Math.abs(decides - Math.round(decides)) <= distance)) continue
    const lower = lowerOf(rounding, value)
    if (lower === undefined) continue
    const other = by * Math.min(Math.max(2 * lower + 1 - ((to[i] as number) - base) / by, low), high) + base
    if (other !== to[i]) ties.push({ step, at: i, other })
  }
  return ties
}

/** One input: floats, and the integers that the network's grid makes of them. */
export interface Input {
  readonly values: Float32Array
  readonly first: Integers
}

/** A run with some roundings turned to their other neighbours: what came out, and the near ties. */
const attempt = (
  network: IntegerNetwork,
  { values, first }: Input,
  turned: ReadonlyArray<Tie>,
  distance: number
): { readonly answer: Integers; readonly ties: ReadonlyArray<Tie> } => {
  const turn = (step: number, integers: Integers): Integers => {
    const mine = turned.filter((tie) => tie.step === step)
    if (mine.length === 0) return integers
    const data = integers.data.slice()
    for (const { at, other } of mine) data[at] = other
    return { shape: integers.shape, data }
  }
  const { name } = network.input
  const ties = [...near({ step: -1, ...IntegerInput.roundingOf(network.input, values) }, first.data, distance)]
  const known = new Map([[name, turn(-1, first)]])
  for (const [step, { operation, inputs, output }] of network.steps.entries()) {
    const given = inputs.map((input) => known.get(input) as Integers)
    const plain = Executor.computed(operation, given)
    const moved = Executor.positionsOf(operation, given[0] as Integers)
    if (moved !== undefined) {
      const { rounding, low, high } = operation as Executor.Rounds
      const map = operation.op === "thresholds" ? { by: operation.step, base: operation.base } : {}
      ties.push(...near({ step, rounding, low, high, moved, ...map }, plain.data, distance))
    }
    known.set(output, turn(step, plain))
  }
  return { answer: known.get(network.output.name) as Integers, ties }
}

const areSame = (a: ArrayLike<number>, b: ArrayLike<number>): boolean => {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return a.length === b.length
}

/** Where a rounding is: in which step, and of which element. */
interface Placed {
  readonly step: number
  readonly at: number
}

/** Turns one tie after another, and then several together, always later ones, until a run gives what is wanted. */
export const search = <T extends Placed>(
  run: (turned: ReadonlyArray<T>) => { readonly isWanted: boolean; readonly ties: ReadonlyArray<T> },
  attempts: number
): ReadonlyArray<T> | undefined => {
  const queue: Array<ReadonlyArray<T>> = [[]]
  for (let tried = 0; tried < attempts && tried < queue.length; tried++) {
    const turned = queue[tried] as ReadonlyArray<T>
    const { isWanted, ties } = run(turned)
    if (isWanted) return turned
    const last = turned.at(-1) ?? { step: -2, at: -1 }
    const isLater = ({ step, at }: Placed): boolean => step > last.step || (step === last.step && at > last.at)
    // later entries are never reached: they need not be kept
    for (const tie of ties) if (isLater(tie) && queue.length < attempts) queue.push([...turned, tie])
  }
  return undefined
}

/**
 * The roundings that make of one input exactly the integers `wanted`, when they go the other way; undefined: none were found. Fewer
 * turned roundings are tried first.
 *
 * - formula:  `f(x; turned) = wanted`, every turned rounding within `distance` of its tie
 * - shapes:   one input in breve's layout, `wanted` of one output
 * - gradient: none
 * - errors:   none
 * - source:   none
 *
 * @category export
 * @since 0.4.0
 */
export const explain = (
  network: IntegerNetwork,
  input: Input,
  wanted: ArrayLike<number>,
  { distance, attempts }: Options
): ReadonlyArray<Tie> | undefined =>
  search<Tie>((turned) => {
    const { answer, ties } = attempt(network, input, turned, distance)
    return { isWanted: areSame(answer.data, wanted), ties }
  }, attempts)
