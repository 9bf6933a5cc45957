/**
 * Scale factors from statistics of what runs through: running, learned after some steps, and dynamic.
 *
 * Room: core (level 2). Imports: tfjs, `inject`, `./Brick.ts`, `./Restricted.ts`, `./RunningStatistic.ts`, `./Statistic.ts`, `./View.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Brick from "./Brick.ts"
import * as Restricted from "./Restricted.ts"
import * as RunningStatistic from "./RunningStatistic.ts"
import type { Scaling } from "./Scaling.ts"
import * as Statistic from "./Statistic.ts"
import * as StatsScaling from "./StatsScaling.ts"
import * as View from "./View.ts"

const viewed = { scalingStatsInputViewShapeImpl: Injector.optional<View.View>(View.identity) }

/**
 * A scale from the statistic of the batch in training, and from its running average in evaluation.
 *
 * - formula:  `training: y = A(RC(aff(I(M(s)))) / tau), r <- s first, then (1 - m) * r + m * s`; `evaluation: s = r`
 * - shapes:   `x [...d] -> y [...scalingShape]`
 * - gradient: in training through the statistic into x; always to the affine parameters
 * - errors:   none
 * - source:   Brevitas, core/scaling/runtime.py (RuntimeStatsScaling)
 */
export const RuntimeStatsScaling = Brick.component(
  "RuntimeStatsScaling",
  {
    ...viewed,
    scalingStatsMomentum: Injector.optional<number | undefined>(0.1),
    ...StatsScaling.dependencies
  },
  (given): Scaling => {
    const statsScalingImpl = StatsScaling.fromStatistic(given)
    const runtimeStats = RunningStatistic.make({
      statsImpl: given.scalingStatsImpl,
      view: given.scalingStatsInputViewShapeImpl,
      shape: given.scalingShape,
      momentum: given.scalingStatsMomentum
    })
    const constants = [...Brick.ownTensors(statsScalingImpl), ...runtimeStats.own]
    return Brick.make(
      "RuntimeStatsScaling",
      { runtimeStats, statsScalingImpl },
      { constants },
      {
        apply: (state: Brick.State, x: tf.Tensor, threshold?: tf.Tensor) => {
          const [s, afterStats] = Brick.call(runtimeStats, state, "runtimeStats", x)
          const [scale] = Brick.call(statsScalingImpl, state, "statsScalingImpl", s, threshold)
          return [scale, Brick.remembered(state.memory, { runtimeStats: afterStats })] as const
        }
      }
    )
  }
)

/**
 * A learned scale that begins as the statistic of what runs through: for `collectStatsSteps` training calls the statistic
 * of each call scales, and is averaged; then the average becomes the parameter.
 *
 * - formula:  `collecting: y = M(s) / threshold, buffer <- s first, then (1 - m) * buffer + m * s`; then `value <- I(buffer)`,
 *   `y = M(R(value)) / R(I(threshold))`; in evaluation `y = M(|R(I(buffer) or value)| / R(I(threshold)))`
 * - shapes:   `x [...d] -> y [...scalingShape]`
 * - gradient: into x while collecting, then to `value`
 * - errors:   none
 * - source:   Brevitas, core/scaling/standalone.py
 */
export const ParameterFromRuntimeStatsScaling = Brick.component(
  "ParameterFromRuntimeStatsScaling",
  {
    ...viewed,
    scalingStatsImpl: Injector.required<Statistic.Statistic>(),
    collectStatsSteps: Injector.required<number>(),
    scalingStatsMomentum: Injector.optional<number | undefined>(0.1),
    scalingShape: Injector.optional<ReadonlyArray<number>>([]),
    ...Restricted.dependencies
  },
  (given): Scaling => {
    const { collectStatsSteps: steps, scalingShape, scalingStatsMomentum: momentum } = given
    const restricted = Restricted.make(given)
    const { restrictScalingImpl } = given
    const view = given.scalingStatsInputViewShapeImpl
    const stats = Statistic.shaped(given.scalingStatsImpl, scalingShape, "scale")
    const identity = Brick.shown("Identity")
    const logarithmic = restrictScalingImpl.initLabel === "LogTwo"
    const children = {
      statsInputViewShapeImpl: view,
      stats,
      absValue: Brick.shown("_AbsValue", { applyAbs: Brick.shown("Abs") }),
      restrictScaling: Brick.shown("_RestrictValue", { restrictValueImpl: restrictScalingImpl }),
      restrictThreshold: Brick.shown("_RestrictValue", {
        ...(given.restrictThresholdImpl !== undefined && { restrictValueImpl: given.restrictThresholdImpl })
      }),
      restrictScaleThreshold: Brick.shown("_RestrictValue", { restrictValueImpl: identity }),
      clampScaling: restricted.parts.clampScaling,
      restrictInplacePreprocess: Brick.shown(logarithmic ? "InplaceLogTwo" : "Identity"),
      restrictScalingPre: restricted.parts.restrictScalingPre,
      restrictThresholdPre: restricted.parts.restrictThresholdPre
    }
    const shape = [...scalingShape]
    const own = {
      parameters: { value: tf.ones(shape) },
      memory: { buffer: tf.ones(shape), counter: 0 },
      prepare: ({ parameters, memory, training }: Brick.State) => {
        if (!training || memory.counter !== steps) return { parameters, memory }
        const buffer = restricted.init(memory.buffer as tf.Tensor)
        const value = tf.mul(parameters.value as tf.Tensor, buffer)
        return { parameters: { ...parameters, value }, memory: { ...memory, buffer, counter: steps + 1 } }
      }
    }
    return Brick.make("ParameterFromRuntimeStatsScaling", children, own, {
      apply: (state: Brick.State, x: tf.Tensor, threshold?: tf.Tensor) => {
        const { parameters, memory, training } = state
        const counter = Number(memory.counter)
        const buffer = memory.buffer as tf.Tensor
        const divided = (y: tf.Tensor): tf.Tensor =>
          threshold === undefined ? Restricted.atLeastOneAxis(y) : tf.div(y, restricted.threshold(threshold))
        if (state.trial !== undefined || (training && counter < steps)) {
          const [statistic, afterStats] = Brick.call(stats, state, "stats", view.apply(x))
          const s = restricted.clamped(statistic)
          if (state.trial !== undefined) return [restricted.scale(restricted.init(s), threshold), memory] as const
          const scale = threshold === undefined ? Restricted.atLeastOneAxis(s) : tf.div(s, threshold)
          const next = { buffer: RunningStatistic.averaged(buffer, counter, s, momentum), counter: counter + 1 }
          return [scale, { ...Brick.remembered(memory, { stats: afterStats }), ...next }] as const
        }
        const value = counter > steps ? (parameters.value as tf.Tensor) : restricted.init(buffer)
        const scale = restricted.restrict(value)
        return training
          ? ([divided(restricted.clamped(scale)), memory] as const)
          : ([restricted.clamped(divided(restricted.positive(scale))), memory] as const)
      }
    })
  }
)
