/**
 * How far answers in floats agree with those of a network of integers, input by input.
 *
 * Room: exchange (level 5). Imports: `./IntegerNetwork.ts`, `./IntegerTies.ts`, types. Laws: test/exchange/Certificate.test.ts.
 */
import * as IntegerNetwork from "./IntegerNetwork.ts"
import * as IntegerTies from "./IntegerTies.ts"

/** When a difference counts as explained. */
export interface Options {
  /** how near a tie a rounding has to come, in steps */
  readonly distance: number
  /** how many choices of roundings are tried for an input */
  readonly attempts: number
}

/** Counts over all inputs. */
export interface Agreement {
  readonly outputs: number
  readonly equal: number
  /** in steps of the output's grid, what is not finite counting as the whole grid; of floats a part of the largest answer */
  readonly largestDifference: number
  /** the farthest that a float lay from its step, in steps: rounding errors of float32 */
  readonly offGrid: number
  readonly differingInputs: number
  /** of the differing inputs, those whose answer comes out when roundings near ties are turned */
  readonly explained: number
  /** how many roundings were turned for one input at most */
  readonly turned: number
  /** the differing inputs that nothing explained, by their places; after a few of them no more are tried */
  readonly unexplained: ReadonlyArray<number>
  /** how often the largest output is the same one, of how many choices */
  readonly sameClass: number
  readonly classes: number
}

/** A comparison of the answers of two ways to compute a model. */
export type Comparison = Agreement & {
  readonly between: readonly [
    "the file in the runtime" | "the model in training",
    "the integers" | "the file in plain arrays"
  ]
}

/** Inputs whose difference nothing explains are not looked at any longer after so many. */
const enough = 3

export interface Tally {
  /** the answers to a batch whose first input has the place `from`; of it, the first `taken` count */
  readonly add: (
    x: { readonly shape: ReadonlyArray<number>; readonly data: Float32Array },
    answer: IntegerNetwork.Answer,
    floats: Float32Array,
    from: number,
    taken: number
  ) => void
  readonly done: () => Agreement
}

/** The place of the largest number, the first one of equals. */
const largest = (numbers: ArrayLike<number>, from: number, to: number): number => {
  let best = from
  for (let i = from + 1; i < to; i++) if ((numbers[i] as number) > (numbers[best] as number)) best = i
  return best
}

/** Begins to count. */
export const begin = (network: IntegerNetwork.IntegerNetwork, options: Options): Tally => {
  const counts = { outputs: 0, equal: 0, largestDifference: 0, offGrid: 0, differingInputs: 0, explained: 0 }
  const more = { turned: 0, sameClass: 0, classes: 0 }
  const unexplained: Array<number> = []
  const add: Tally["add"] = (x, answer, floats, from, taken) => {
    const count = x.shape[0] ?? 1
    const size = answer.data.length / count
    const inner = x.data.length / count
    const channels = answer.shape.at(-1) ?? 1
    const { low, high } = answer.meaning
    const steps = Float64Array.from(answer.data, (_, i) =>
      IntegerNetwork.stepOf(answer.meaning, floats[i] ?? Number.NaN, i)
    )
    const rounded = steps.map((step) => Math.round(step) + 0)
    const [ours, theirs] = [answer.data, rounded].map((q) =>
      Float64Array.from(q, (v, i) => IntegerNetwork.floatOf(answer.meaning, v, i))
    ) as [Float64Array, Float64Array]
    for (let row = 0; row < taken; row++) {
      const [begun, end] = [row * size, (row + 1) * size]
      let differs = false
      for (let i = begun; i < end; i++) {
        const distance = Math.abs((rounded[i] as number) - (answer.data[i] as number))
        const difference = Number.isFinite(distance) ? distance : high - low + 1
        const isEqual = difference === 0
        counts.outputs += 1
        counts.equal += isEqual ? 1 : 0
        differs ||= !isEqual
        counts.largestDifference = Math.max(counts.largestDifference, difference)
        const off = Math.abs((steps[i] as number) - (rounded[i] as number))
        if (Number.isFinite(off)) counts.offGrid = Math.max(counts.offGrid, off)
      }
      for (let at = begun; at < end; at += channels) {
        more.classes += 1
        more.sameClass += largest(ours, at, at + channels) === largest(theirs, at, at + channels) ? 1 : 0
      }
      if (!differs) continue
      counts.differingInputs += 1
      const values = x.data.slice(row * inner, (row + 1) * inner)
      const first = IntegerNetwork.quantized(network, values, [1, ...x.shape.slice(1)])
      const wanted = rounded.subarray(begun, end)
      const ties =
        unexplained.length < enough ? IntegerTies.explain(network, { values, first }, wanted, options) : undefined
      if (ties === undefined) unexplained.push(from + row)
      else {
        counts.explained += 1
        more.turned = Math.max(more.turned, ties.length)
      }
    }
  }
  return { add, done: () => ({ ...counts, ...more, unexplained }) }
}
