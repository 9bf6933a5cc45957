/**
 * What a statistic is, and the plain ones: extremes, averages and norms of everything or along one axis.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./Brick.ts`, `./View.ts`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Extremum from "../op/Extremum.ts"
import * as Norm from "../op/Norm.ts"
import * as StatisticOp from "../op/Statistic.ts"
import * as Gradient from "../tensor/Gradient.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Brick from "./Brick.ts"
import type { View } from "./View.ts"

/** Reduces a tensor: to a scalar, or along one axis. */
export interface Statistic extends Brick.Stateful<readonly [x: tf.Tensor], tf.Tensor> {
  /** whether it wants the tensor as it is, and lays it out itself: it quantizes */
  readonly whole?: boolean
  /** the statistic of the viewed tensor without laying it out, where that is possible: and the tensor for what follows */
  readonly unviewed?: (view: View) => Through | undefined
}

/** A statistic, and the same tensor for all that follows, whose gradient it completes. */
export type Through = (x: tf.Tensor) => readonly [s: tf.Tensor, x: tf.Tensor]

/** A statistic that is nothing but a formula: the way to add one of your own. */
export const make = (
  label: string,
  formula: (x: tf.Tensor) => tf.Tensor,
  children: Readonly<Record<string, Brick.Brick>> = {}
): Statistic => Brick.make(label, children, {}, { apply: (_: Brick.State, x: tf.Tensor) => [formula(x), {}] as const })

/** What every statistic that reduces may be told. */
export const reduction = {
  /** the axis to reduce, of the view; absent: everything */
  statsReduceDim: Injector.optional<number | undefined>(undefined),
  /** keeps the reduced axis with size 1 */
  keepdim: Injector.optional(false)
}

/** The options of a reduction as an op takes them, checked. */
export const over = (
  what: string,
  given: { readonly statsReduceDim: number | undefined; readonly keepdim: boolean }
): StatisticOp.Reduction => {
  const { statsReduceDim: axis, keepdim: keepDims } = given
  if (axis !== undefined && !Number.isInteger(axis))
    throw new InvalidOptions({ what, option: "statsReduceDim", reason: `is an axis or absent, not ${axis}` })
  return { axis, keepDims }
}

type Formula = (x: tf.Tensor, reduction: StatisticOp.Reduction) => tf.Tensor
const reducing = <const Label extends string>(
  label: Label,
  formula: Formula,
  children: Readonly<Record<string, Brick.Brick>> = {}
) =>
  Injector.component(label, reduction, (given) => {
    const options = over(label, given)
    return make(label, (x) => formula(x, options), children)
  })

/** The constant 0 that a statistic is held at or below. */
export const zero = { zero: Brick.shown("StatelessBuffer") }

// ---- extremes and averages ----------------------------------------------------------------------------------

/** Everything may be reduced in any order, and rows of channels where they stand. */
const absMaxUnviewed =
  ({ axis, keepDims }: StatisticOp.Reduction) =>
  ({ channel }: View): Through | undefined => {
    if (axis === undefined) return (x) => Extremum.absMaxThrough(x)
    if (channel === undefined || (axis !== 1 && axis !== -1)) return undefined
    return (x) => {
      const [s, through] = Extremum.absMaxThrough(x, { channel })
      return [keepDims === true ? Gradient.reshaped(s, [s.size, 1]) : s, through]
    }
  }

/** The largest magnitude. */
export const AbsMax = Injector.component("AbsMax", reduction, (given): Statistic => {
  const options = over("AbsMax", given)
  return { ...make("AbsMax", (x) => Extremum.absMax(x, options)), unviewed: absMaxUnviewed(options) }
})

/** The distance between the largest element and the smallest one, which counts as 0 if positive. */
export const AbsMinMax = reducing("AbsMinMax", StatisticOp.absMinMax, zero)

/** The smallest element, if it is negative. */
export const NegativeMinOrZero = reducing("NegativeMinOrZero", StatisticOp.negativeMinOrZero, zero)

/** The mean magnitude. */
export const AbsAve = reducing("AbsAve", StatisticOp.absMean)

/** The mean of the largest magnitudes along the axis. */
export const AbsMaxAve = reducing("AbsMaxAve", StatisticOp.absMaxMean)

/** The root of the mean square of the largest magnitudes along the axis. */
export const AbsMaxL2 = reducing("AbsMaxL2", StatisticOp.absMaxL2)

const kept =
  (formula: Formula): Formula =>
  (x, { axis }) =>
    formula(x, { axis, keepDims: true })

/** The sum of magnitudes; the axis is kept in any case. */
export const L1Norm = reducing("L1Norm", kept(Norm.l1))

/** The Euclidean length; the axis is kept in any case. */
export const L2Norm = reducing("L2Norm", kept(Norm.l2))
