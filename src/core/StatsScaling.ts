/**
 * Scale factors from statistics of the weights that they scale.
 *
 * Room: core (level 2). Imports: tfjs, `inject`, `./Brick.ts`, `./Restricted.ts`, `./Statistic.ts`, `./View.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Brick from "./Brick.ts"
import * as Restricted from "./Restricted.ts"
import type { Scaling } from "./Scaling.ts"
import * as Statistic from "./Statistic.ts"
import * as View from "./View.ts"

/** What a scale from statistics needs besides the statistic itself. */
export const dependencies = {
  scalingStatsImpl: Injector.required<Statistic.Statistic>(),
  /** absent: the shape of the statistic */
  scalingShape: Injector.optional<ReadonlyArray<number> | undefined>(undefined),
  /** multiplies the statistic by a learned weight */
  affineRescaling: Injector.optional(false),
  /** adds a learned bias to it */
  affineShiftScale: Injector.optional(false),
  scalingAffineRescalingInit: Injector.optional(1),
  scalingAffineShiftingInit: Injector.optional(0),
  ...Restricted.dependencies
}
export type Given = Injector.AllOf<typeof dependencies>

/** Turns a statistic into a scale: `A(RC(aff(I(M(s)))) / tau)`. */
export interface FromStatistic extends Brick.Stateful<readonly [s: tf.Tensor, threshold?: tf.Tensor], tf.Tensor> {
  /** `aff(I(M(s)))`: the statistic in the learned domain */
  readonly learned: (state: Brick.State, s: tf.Tensor) => tf.Tensor
  readonly restricted: Restricted.Restricted
}

const affine = (given: Given): Brick.Stateful<readonly [v: tf.Tensor], tf.Tensor> => {
  const { affineRescaling, affineShiftScale, scalingShape = [] } = given
  if (!affineRescaling)
    return Brick.make("Identity", {}, {}, { apply: (_: Brick.State, v: tf.Tensor) => [v, {}] as const })
  const parameters = {
    affineWeight: tf.fill([...scalingShape], given.scalingAffineRescalingInit),
    ...(affineShiftScale && { affineBias: tf.fill([...scalingShape], given.scalingAffineShiftingInit) })
  }
  return Brick.make(
    "_AffineRescaling",
    {},
    { parameters },
    {
      apply: ({ parameters: { affineWeight, affineBias } }: Brick.State, v: tf.Tensor) => {
        const scaled = tf.mul(v, affineWeight as tf.Tensor)
        return [affineBias === undefined ? scaled : tf.add(scaled, affineBias as tf.Tensor), {}] as const
      }
    }
  )
}

/** The brick that turns statistics into scales; its affine parameters are disposed with the brick that holds it. */
export const fromStatistic = (given: Given): FromStatistic => {
  const restricted = Restricted.make(given)
  const affineRescaling = affine(given)
  const children = { affineRescaling, ...restricted.parts }
  const learned = (state: Brick.State, s: tf.Tensor): tf.Tensor =>
    Brick.call(affineRescaling, state, "affineRescaling", restricted.init(restricted.clamped(s)))[0]
  return Brick.make(
    "_StatsScaling",
    children,
    {},
    {
      learned,
      restricted,
      apply: (state: Brick.State, s: tf.Tensor, threshold?: tf.Tensor) =>
        [restricted.scale(learned(state, s), threshold), {}] as const
    }
  )
}

const ofParameters = {
  scalingStatsInputViewShapeImpl: Injector.optional<View.View>(View.identity),
  /** the axis along which the views of shared weights are joined */
  scalingStatsInputConcatDim: Injector.optional(0),
  ...dependencies
}
const parametersOf = (given: Injector.AllOf<typeof ofParameters>): Statistic.Statistic =>
  Statistic.ofParameters({
    statsImpl: given.scalingStatsImpl,
    view: given.scalingStatsInputViewShapeImpl,
    concatDim: given.scalingStatsInputConcatDim,
    shape: given.scalingShape,
    role: "scale"
  })

/**
 * A scale recomputed at each call from the weights.
 *
 * - formula:  `y = A(RC(aff(I(M(statistic(view(x)))))) / tau)`
 * - shapes:   `x [...d] -> y [...scalingShape]`
 * - gradient: through the statistic into x, and to the affine parameters
 * - errors:   none
 * - source:   Brevitas, core/scaling/runtime.py
 */
export const StatsFromParameterScaling = Brick.component(
  "StatsFromParameterScaling",
  ofParameters,
  (given): Scaling => {
    const parameterListStats = parametersOf(given)
    const statsScalingImpl = fromStatistic(given)
    return Brick.make(
      "StatsFromParameterScaling",
      { parameterListStats, statsScalingImpl },
      { constants: Brick.ownTensors(statsScalingImpl) },
      {
        apply: (state: Brick.State, x: tf.Tensor, threshold?: tf.Tensor) => {
          const [s, afterStats] = Brick.call(parameterListStats, state, "parameterListStats", x)
          const [scale] = Brick.call(statsScalingImpl, state, "statsScalingImpl", s, threshold)
          return [scale, Brick.remembered(state.memory, { parameterListStats: afterStats })] as const
        }
      }
    )
  }
)

/**
 * A learned scale that begins as the statistic of the weights at the first call, and ignores the weights from then on.
 *
 * - formula:  `value <- aff(I(M(statistic(view(x)))))` at first; `y = A(RC(value) / tau)`
 * - shapes:   `x [...d] -> y [...scalingShape]`
 * - gradient: to `value` and the threshold; none to x
 * - errors:   none
 * - source:   Brevitas, core/scaling/standalone.py
 */
export const ParameterFromStatsFromParameterScaling = Brick.component(
  "ParameterFromStatsFromParameterScaling",
  ofParameters,
  (given): Scaling => {
    const parameterListStats = parametersOf(given)
    const statsScalingImpl = fromStatistic(given)
    const { restricted } = statsScalingImpl
    const { restrictThresholdPre, clampScaling } = restricted.parts
    const restrictInplaceScalingPre = Brick.shown(
      given.restrictScalingImpl.initLabel === "LogTwo" ? "InplaceLogTwo" : "Identity"
    )
    const children = {
      parameterListStats,
      statsScalingImpl,
      restrictThresholdPre,
      restrictInplaceScalingPre,
      clampScaling
    }
    const initial = (state: Brick.State, x: tf.Tensor): tf.Tensor => {
      const [s] = Brick.call(parameterListStats, state, "parameterListStats", x)
      return statsScalingImpl.learned(Brick.partOf(state, "statsScalingImpl"), s)
    }
    const prepare = (state: Brick.State) =>
      state.memory.initDone === 1 || state.tracked?.[0] === undefined
        ? state
        : {
            parameters: { ...state.parameters, value: initial(state, state.tracked[0]) },
            memory: { ...state.memory, initDone: 1 }
          }
    const own = {
      parameters: { value: tf.ones([...(given.scalingShape ?? [])]) },
      memory: { initDone: 0 },
      constants: Brick.ownTensors(statsScalingImpl),
      prepare
    }
    return Brick.make("ParameterFromStatsFromParameterScaling", children, own, {
      apply: (state: Brick.State, x: tf.Tensor, threshold?: tf.Tensor) => {
        const value =
          state.trial === undefined && state.memory.initDone === 1
            ? (state.parameters.value as tf.Tensor)
            : initial(state, x)
        return [restricted.scale(value, threshold), state.memory] as const
      }
    })
  }
)
