/**
 * Statistics that search: they quantize with values on trial, and answer the one that quantizes best.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `./Brick.ts`, `./Statistic.ts`, `./View.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"
import * as Slices from "../tensor/Slices.ts"
import type * as Tree from "../tensor/Tree.ts"
import * as Brick from "./Brick.ts"
import type * as Statistic from "./Statistic.ts"
import type { View } from "./View.ts"

/** One value for each slice: the whole tensor, a channel, a group. */
export type Candidates = Float32Array

/** What a search is given. The tensors of an attempt are disposed with the `tf.tidy` around it. */
export interface Task {
  readonly x: tf.Tensor
  readonly init: Candidates
  readonly attempt: (candidates: Candidates) => Brick.Attempt
  readonly memory: Tree.Memory
}
/** What a search answers, and what of its memory has changed. */
export interface Found {
  readonly best: Candidates
  readonly memory?: Tree.Memory
}

/** How the slices lie in the tensor. */
export interface Sliced {
  readonly view: View
  /** the axis of the view that a slice runs along; absent: there is one slice */
  readonly axis: number | undefined
}

interface Given extends Sliced {
  readonly label: string
  readonly children: Readonly<Record<string, Brick.Brick>>
  /** which child says where the search begins */
  readonly initName: string
  readonly initOp: Statistic.Statistic
  readonly memory?: Tree.Memory
  readonly search: (task: Task) => Found
}

const initial = (given: Given, state: Brick.State, x: tf.Tensor): tf.Tensor =>
  Gradient.withoutGradient(() => Brick.call(given.initOp, state, given.initName, given.view.apply(x))[0])

/** One value for each slice, also where the search begins with one value for all. */
const begin = ({ view, axis }: Sliced, x: tf.Tensor, init: tf.Tensor): readonly [Candidates, ReadonlyArray<number>] =>
  Gradient.unrecorded(() => {
    const { count, reduced } = Slices.of(view.apply(x), { axis })
    const values = Host.floats(init)
    return values.length === 1 && count > 1
      ? [new Float32Array(count).fill(values[0] as number), reduced]
      : [values.slice(), init.shape]
  })

const searched = (
  given: Given,
  role: Statistic.Role,
  state: Brick.State,
  attempt: NonNullable<Brick.State["attempt"]>,
  x: tf.Tensor
) => {
  const [init, shape] = begin(given, x, initial(given, state, x))
  const { memory } = state
  const quantized = (candidates: Candidates): Brick.Attempt => attempt(x, { [role]: tf.tensor(candidates, [...shape]) })
  const found = Gradient.unrecorded(() => given.search({ x, init, attempt: quantized, memory }))
  return { ...found, shape }
}

/**
 * A statistic for a scale. It sees the tensor as the quantizer does, whatever the layout for other statistics is. It has no gradient;
 * without a quantizer to try with, or while another statistic of the quantizer searches, it is its initial statistic.
 */
export const ofScale = (given: Given): Statistic.Statistic =>
  Brick.make(
    given.label,
    given.children,
    { ...(given.memory !== undefined && { memory: given.memory }) },
    {
      whole: true,
      apply: (state: Brick.State, x: tf.Tensor) => {
        if (state.attempt === undefined || state.trial !== undefined) return [initial(given, state, x), state.memory]
        const { best, memory = {}, shape } = searched(given, "scale", state, state.attempt, x)
        return [tf.tensor(best, [...shape]), { ...state.memory, ...memory }] as const
      }
    }
  )

/**
 * A statistic for a zero-point. It remembers what it has found: that is its answer while the scale searches at a later call.
 */
export const ofZeroPoint = (given: Given): Statistic.Statistic =>
  Brick.make(
    given.label,
    given.children,
    { memory: { ...given.memory, candidate: tf.zeros([]), found: 0 } },
    {
      whole: true,
      apply: (state: Brick.State, x: tf.Tensor) => {
        if (state.attempt === undefined || state.trial !== undefined) {
          const latest = state.memory.found === 1 ? (state.memory.candidate as tf.Tensor) : initial(given, state, x)
          return [latest, state.memory]
        }
        const { best, memory = {}, shape } = searched(given, "zeroPoint", state, state.attempt, x)
        const candidate = tf.tensor(best, [...shape])
        return [tf.tensor(best, [...shape]), { ...state.memory, ...memory, candidate, found: 1 }] as const
      }
    }
  )

/** A brick as it is printed: a part that a statistic has of its own, though its instance serves others too. */
export const shownAs = (brick: Brick.Brick): Brick.Brick =>
  Brick.shown(
    brick.label,
    Object.fromEntries(Object.entries(brick.children).map(([name, child]) => [name, shownAs(child)]))
  )

// ---- comparing ----------------------------------------------------------------------------------------------

/** What was quantized, seen as the slices are: groups of an attempt stay apart, and so does what came grouped. */
export const viewed = ({ view }: Sliced, x: tf.Tensor, y: tf.Tensor): tf.Tensor => (y.rank > x.rank ? y : view.apply(y))

const sum = (data: Float32Array, start: number, end: number, step: number): number => {
  let total = 0
  for (let at = start; at < end; at += step) total += data[at] as number
  return total
}

/** The sum of each slice, in double precision, as a float32. */
export const sums = ({ axis }: Sliced, view: tf.Tensor): Float32Array =>
  Float32Array.from(Slices.fold(Slices.of(view, { axis }), sum))
