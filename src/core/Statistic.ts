/**
 * Statistics as bricks, and how they are taken: of the tensor itself, or of all weights that share a quantizer.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `./Brick.ts`, `./View.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as StatisticOp from "../op/Statistic.ts"
import * as Brick from "./Brick.ts"
import type { View } from "./View.ts"

/** Reduces a tensor: to a scalar, or along one axis. */
export type Statistic = Brick.Stateful<readonly [x: tf.Tensor], tf.Tensor>

/** A statistic that is nothing but a formula: the way to add one of your own. */
export const make = (label: string, formula: (x: tf.Tensor) => tf.Tensor): Statistic =>
  Brick.make(label, {}, {}, { apply: (_: Brick.State, x: tf.Tensor) => [formula(x), {}] as const })

const reduction = {
  /** the axis to reduce, of the view; absent: everything */
  statsReduceDim: Injector.optional<number | undefined>(undefined),
  /** keeps the reduced axis with size 1 */
  keepdim: Injector.optional(false)
}
const over = ({ statsReduceDim, keepdim }: { statsReduceDim: number | undefined; keepdim: boolean }) => ({
  axis: statsReduceDim,
  keepDims: keepdim
})

/** The largest magnitude. */
export const AbsMax = Injector.component("AbsMax", reduction, (given) =>
  make("AbsMax", (x) => StatisticOp.absMax(x, over(given)))
)

/** The mean magnitude. */
export const AbsAve = Injector.component("AbsAve", reduction, (given) =>
  make("AbsAve", (x) => StatisticOp.absMean(x, over(given)))
)

/** The magnitude at the percentile `highPercentileQ`. */
export const AbsPercentile = Injector.component(
  "AbsPercentile",
  { ...reduction, highPercentileQ: Injector.required<number>() },
  ({ highPercentileQ, ...given }) =>
    make("AbsPercentile", (x) => StatisticOp.absPercentile(x, highPercentileQ, over(given)))
)

// ---- taking statistics --------------------------------------------------------------------------------------

/** What a statistic is taken for: it is replaced by the one on trial while another searches. */
export type Role = "scale" | "zeroPoint"

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
        return [
          shape === undefined ? s : tf.reshape(s, [...shape]),
          Brick.remembered(state.memory, { statsImpl: memory })
        ] as const
      }
    }
  )

/** The statistic of all tracked weights together, each seen through the view, or of the input if there are none. */
export const ofParameters = (given: {
  readonly statsImpl: Statistic
  readonly view: View
  readonly concatDim: number
  readonly shape: ReadonlyArray<number> | undefined
  readonly role: Role
}): Statistic => {
  const stats = shaped(given.statsImpl, given.shape, given.role)
  const firstTrackedParam = Brick.shown("_ViewParameter", { viewShapeImpl: given.view })
  return Brick.make(
    "_ParameterListStats",
    { firstTrackedParam, stats },
    {},
    {
      apply: (state: Brick.State, x: tf.Tensor) => {
        const tracked = state.trial === undefined ? (state.tracked ?? [x]) : [x]
        const views = tracked.map((parameter) => given.view.apply(parameter))
        // later parameters in front
        const all = views.length === 1 ? (views[0] as tf.Tensor) : tf.concat([...views].reverse(), given.concatDim)
        const [s, memory] = Brick.call(stats, state, "stats", all)
        return [s, Brick.remembered(state.memory, { stats: memory })] as const
      }
    }
  )
}
