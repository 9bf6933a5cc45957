/**
 * Statistics as bricks, and how they are taken: of the tensor itself, or of all weights that share a quantizer.
 *
 * Room: core (level 2). Imports: tfjs, `./Brick.ts`, `./Reducing.ts`, `./Spread.ts`, `./View.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Brick from "./Brick.ts"
import type * as Persistence from "./Persistence.ts"
import type { Statistic } from "./Reducing.ts"
import type { View } from "./View.ts"

export {
  AbsAve,
  AbsMax,
  AbsMaxAve,
  AbsMaxL2,
  AbsMinMax,
  L1Norm,
  L2Norm,
  make,
  NegativeMinOrZero,
  over,
  reduction,
  type Statistic
} from "./Reducing.ts"
export {
  AbsPercentile,
  KLMinimizerThreshold,
  MeanLearnedSigmaStd,
  MeanSigmaStd,
  NegativePercentileOrZero,
  PercentileInterval
} from "./Spread.ts"

/** What a statistic is taken for: it is replaced by the one on trial while another searches. */
export type Role = "scale" | "zeroPoint"

const inShape = (s: tf.Tensor, shape: ReadonlyArray<number> | undefined): tf.Tensor =>
  shape === undefined || tf.util.arraysEqual(s.shape, [...shape]) ? s : Gradient.reshaped(s, shape)

/** The statistic `statsImpl` of a viewed tensor, in the given shape. */
export const shaped = (statsImpl: Statistic, shape: ReadonlyArray<number> | undefined, role: Role): Statistic =>
  Brick.make(
    "_Stats",
    { statsImpl },
    {},
    {
      apply: (state: Brick.State, x: tf.Tensor) => {
        const onTrial = state.trial?.[role]
        const [s, memory] = onTrial === undefined ? Brick.call(statsImpl, state, "statsImpl", x) : [onTrial, {}]
        return [inShape(s, shape), Brick.remembered(state.memory, { statsImpl: memory })] as const
      }
    }
  )

/** The tensor as a statistic wants to see it. */
export const seen = ({ whole }: Statistic, view: View, x: tf.Tensor): tf.Tensor => (whole === true ? x : view.apply(x))

/**
 * The statistic of a tensor that is to be viewed, in the given shape, without laying it out: `undefined` where it has to be, and
 * while another statistic is on trial.
 */
export const unviewed = (
  statsImpl: Statistic,
  view: View,
  shape: ReadonlyArray<number> | undefined
): ((state: Brick.State, x: tf.Tensor) => tf.Tensor | undefined) => {
  const through = statsImpl.unviewed?.(view)
  return ({ trial, passing }, x) => {
    if (through === undefined || trial !== undefined) return undefined
    if (passing?.of !== x) return inShape(through(x)[0], shape)
    const [s, latest] = through(passing.latest)
    passing.latest = latest
    return inShape(s, shape)
  }
}

/** Along which axis weights are joined that are not laid out: one that has no scales of its own, `concatDim` if it may be. */
const joining = (concatDim: number, shape: ReadonlyArray<number> = []): number =>
  shape[concatDim] === 1 ? concatDim : Math.max(shape.indexOf(1), 0)

/** How tracked weights are printed: the first one, and those that are joined to it. */
const trackedParts = (viewShapeImpl: View, count: number): Readonly<Record<string, Brick.Brick>> => {
  const extra = Array.from({ length: count - 1 }, (_, i) => [
    String(i),
    Brick.shown("_ViewCatParameterWrapper", { viewShapeImpl })
  ])
  return count === 1
    ? { firstTrackedParam: Brick.shown("_ViewParameter", { viewShapeImpl }) }
    : {
        firstTrackedParam: Brick.shown("_ViewParameterWrapper", { viewShapeImpl }),
        extraTrackedParamsList: Brick.shown("ModuleList", Object.fromEntries(extra))
      }
}

/** The statistic of all tracked weights together, each seen through the view, or of the input if there are none. */
export const ofParameters = (given: {
  readonly statsImpl: Statistic
  readonly view: View
  readonly concatDim: number
  readonly shape: ReadonlyArray<number> | undefined
  readonly role: Role
  /** how many weights there are, as far as it is known when the brick is made: for printing */
  readonly trackedCount?: number
}): Statistic => {
  const stats = shaped(given.statsImpl, given.shape, given.role)
  const asItIs = unviewed(given.statsImpl, given.view, given.shape)
  return Brick.make(
    "_ParameterListStats",
    { ...trackedParts(given.view, given.trackedCount ?? 1), stats },
    {},
    {
      apply: (state: Brick.State, x: tf.Tensor) => {
        const tracked = state.trial === undefined ? (state.tracked ?? [x]) : [x]
        const direct = tracked.length === 1 ? asItIs(state, tracked[0] as tf.Tensor) : undefined
        if (direct !== undefined) return [direct, state.memory] as const
        const views = tracked.map((parameter) => seen(given.statsImpl, given.view, parameter))
        const axis = given.statsImpl.whole === true ? joining(given.concatDim, given.shape) : given.concatDim
        // later parameters in front
        const all = views.length === 1 ? (views[0] as tf.Tensor) : tf.concat([...views].reverse(), axis)
        const [s, memory] = Brick.call(stats, state, "stats", all)
        return [s, Brick.remembered(state.memory, { stats: memory })] as const
      }
    }
  )
}

/** A `value` that has not begun is not saved; one that is loaded has. */
export const savedOnceBegun: Persistence.Persistence = {
  saved: ({ parameters, memory }) => (memory.initDone === 1 ? parameters : {}),
  loaded: ({ parameters, memory }, saved) => ({
    parameters: { ...parameters, ...saved },
    memory: { ...memory, initDone: 1 }
  })
}

/** How a learned `value` begins: at the first call, as what `initial` makes of the weight; `initDone` remembers that it did. */
export const begunOnce =
  (initial: (state: Brick.State, weight: tf.Tensor) => Brick.Answer<tf.Tensor>): Brick.Brick["prepare"] =>
  (state) => {
    const weight = state.tracked?.[0]
    if (state.memory.initDone === 1 || weight === undefined) return state
    const [value, memory] = initial(state, weight)
    return { parameters: { ...state.parameters, value }, memory: { ...memory, initDone: 1 } }
  }
