/**
 * Scale factors from statistics of what runs through: running, learned after some steps, and dynamic.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, and its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import { magnitude } from "../op/Sign.ts"
import * as Gradient from "../tensor/Gradient.ts"
import * as Brick from "./Brick.ts"
import * as Restricted from "./Restricted.ts"
import * as RunningStatistic from "./RunningStatistic.ts"
import type { Scaling } from "./Scaling.ts"
import * as Statistic from "./Statistic.ts"
import * as StatsScaling from "./StatsScaling.ts"
import * as View from "./View.ts"

const viewed = { scalingStatsInputViewShapeImpl: Injector.optional<View.View>(View.identity) }
/** how much a new statistic counts in the average; `null`: as much as every other one */
const averaged = { scalingStatsMomentum: Injector.optional<number | null>(0.1) }

/**
 * A scale from the statistic of the batch in training, and from its running average in evaluation.
 *
 * - formula:  `training: y = A(RC(aff(I(M(s)))) / tau), r <- r * s first, then (1 - m) * r + m * s`; `evaluation: s = r`
 * - shapes:   `x [...d] -> y [...scalingShape]`
 * - gradient: in training through the statistic into x; always to the affine parameters and the threshold
 * - errors:   InvalidOptions for a momentum outside of 0..1 or a shift without a rescaling; NaN passes
 * - source:   Brevitas, core/scaling/runtime.py (RuntimeStatsScaling)
 */
export const RuntimeStatsScaling = Brick.component(
  "RuntimeStatsScaling",
  { ...viewed, ...averaged, ...StatsScaling.dependencies },
  (given): Scaling => {
    Restricted.checkMomentum("RuntimeStatsScaling", given.scalingStatsMomentum)
    const statsScalingImpl = StatsScaling.fromStatistic(given)
    const runtimeStats = RunningStatistic.make({
      statsImpl: given.scalingStatsImpl,
      view: given.scalingStatsInputViewShapeImpl,
      shape: given.scalingShape,
      momentum: given.scalingStatsMomentum ?? undefined
    })
    return Brick.make(
      "RuntimeStatsScaling",
      { runtimeStats, statsScalingImpl },
      { constants: [...statsScalingImpl.own, ...runtimeStats.own] },
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

const identity = Brick.shown("Identity")
const inplaceLogTwo = Brick.shown("InplaceLogTwo")
const absValue = {
  unsigned: Brick.shown("_AbsValue", { applyAbs: Restricted.applyAbs(true) }),
  signed: Brick.shown("_AbsValue", { applyAbs: Restricted.applyAbs(false) })
}
const unrestricted = Brick.shown("_RestrictValue")
const notRestricted = Brick.shown("_RestrictValue", { restrictValueImpl: identity })
const restrictValue = (restrictValueImpl: Brick.Brick): Brick.Brick =>
  Brick.shown("_RestrictValue", { restrictValueImpl })

/** The children in the order of the reference. */
const learnedChildren = (given: Restricted.Given, view: View.View, stats: Statistic.Statistic) => {
  const { restrictScalingImpl, restrictThresholdImpl, restrictScaleThresholdImpl, isScaleUnsigned } = given
  // the scale's own restriction is shown there already
  const ofThreshold = restrictThresholdImpl === restrictScalingImpl ? undefined : restrictThresholdImpl
  return {
    statsInputViewShapeImpl: view,
    stats,
    absValue: isScaleUnsigned ? absValue.unsigned : absValue.signed,
    restrictScaling: restrictValue(restrictScalingImpl),
    restrictThreshold: ofThreshold === undefined ? unrestricted : restrictValue(ofThreshold),
    restrictScaleThreshold:
      restrictScaleThresholdImpl === undefined ? notRestricted : restrictValue(restrictScaleThresholdImpl),
    clampScaling: Restricted.clamping(given.scalingMinVal),
    restrictInplacePreprocess:
      restrictScalingImpl.initLabel === "LogTwo" ? inplaceLogTwo : Restricted.preprocessing(restrictScalingImpl),
    restrictScalingPre: Restricted.preprocessing(restrictScalingImpl),
    restrictThresholdPre: Restricted.preprocessing(restrictThresholdImpl ?? restrictScalingImpl)
  }
}

/**
 * A learned scale that begins as the statistic of what runs through: for `collectStatsSteps` training calls the statistic
 * of each call scales, and is averaged; then the average becomes the parameter.
 *
 * - formula:  `collecting: y = M(s) / threshold, buffer <- buffer * s first, then (1 - m) * buffer + m * s`; then
 *   `value <- value * I(buffer)`, `y = M(R(value)) / R(I(threshold))`; in evaluation
 *   `y = M(|R(I(buffer) or value)| / R(I(threshold)))`
 * - shapes:   `x [...d] -> y [...scalingShape]`
 * - gradient: into x while collecting, and zero to `value`; then to `value` alone
 * - errors:   InvalidOptions for steps that are negative or not whole, and for a momentum outside of 0..1; NaN passes
 * - source:   Brevitas, core/scaling/standalone.py
 */
export const ParameterFromRuntimeStatsScaling = Brick.component(
  "ParameterFromRuntimeStatsScaling",
  {
    ...viewed,
    ...averaged,
    scalingStatsImpl: Injector.required<Statistic.Statistic>(),
    collectStatsSteps: Injector.required<number>(),
    scalingShape: Injector.optional<ReadonlyArray<number> | undefined>([]),
    ...Restricted.dependencies
  },
  (given): Scaling => {
    const label = "ParameterFromRuntimeStatsScaling"
    const { collectStatsSteps: steps, scalingStatsInputViewShapeImpl: view } = given
    Restricted.check(
      Number.isInteger(steps) && steps >= 0,
      label,
      "collectStatsSteps",
      `must be a whole number of training steps, 0 or more; it is ${steps}`
    )
    Restricted.checkMomentum(label, given.scalingStatsMomentum)
    const momentum = given.scalingStatsMomentum ?? undefined
    const { clamped, init, quotient } = Restricted.make(given)
    const shape = [...(given.scalingShape ?? [])]
    const stats = Statistic.shaped(given.scalingStatsImpl, shape, "scale")
    const own = {
      parameters: { value: tf.ones(shape) },
      memory: { buffer: tf.ones(shape), counter: 0 },
      prepare: ({ parameters, memory, training }: Brick.State) => {
        if (!training || memory.counter !== steps) return { parameters, memory }
        const buffer = init(memory.buffer as tf.Tensor)
        const value = tf.mul(parameters.value as tf.Tensor, buffer)
        return { parameters: { ...parameters, value }, memory: { ...memory, buffer, counter: steps + 1 } }
      },
      persistence: RunningStatistic.savedOnceCollected(
        steps,
        ({ parameters, memory }) => tf.mul(parameters.value as tf.Tensor, init(memory.buffer as tf.Tensor)),
        // what a scale from running statistics has saved
        { "runtimeStats.runningStats": { name: "value", convert: (r) => init(tf.abs(r)) } }
      )
    }
    return Brick.make(label, learnedChildren(given, view, stats), own, {
      apply: (state: Brick.State, x: tf.Tensor, threshold?: tf.Tensor) => {
        const { parameters, memory, training, trial } = state
        const counter = Number(memory.counter)
        const [value, buffer] = [parameters.value as tf.Tensor, memory.buffer as tf.Tensor]
        if (trial !== undefined || (training && counter < steps)) {
          const viewed = Statistic.seen(given.scalingStatsImpl, view, x)
          const [statistic, afterStats] = Brick.call(stats, state, "stats", viewed)
          const s = clamped(statistic)
          // the threshold as it is: nothing is restricted yet
          const scale = tf.div(s, threshold ?? tf.ones([1]))
          if (trial !== undefined) return [scale, memory] as const
          const next = { buffer: RunningStatistic.averaged(buffer, counter, s, momentum), counter: counter + 1 }
          // the parameter takes part with a gradient of zero: it is not absent
          const tied = tf.add(scale, tf.mul(value, 0))
          return [tied, { ...Brick.remembered(memory, { stats: afterStats }), ...next }] as const
        }
        const learned = counter > steps ? value : init(buffer)
        const scale = training
          ? quotient(learned, threshold, ["restrict", "clamped"], ["divided"])
          : quotient(learned, threshold, ["restrict", "positive"], ["divided", "clamped"])
        return [scale, memory] as const
      }
    })
  }
)

// ---- of each input alone ------------------------------------------------------------------------------------

/**
 * A scale for each group of each input, in training and evaluation alike.
 *
 * - formula:  `y = A(RC(I(M(s))) / tau)`, `s` the statistic of each group of `inputView(x)`
 * - shapes:   `x [..., d, ...] -> y [..., groups, 1, ...]` with a statistic that keeps its axis
 * - gradient: through the statistic into x, and to the threshold
 * - errors:   InvalidOptions for a view that makes no groups; NaN passes
 * - source:   Brevitas, core/scaling/runtime.py (RuntimeDynamicGroupStatsScaling)
 *
 * @since 0.2.0
 */
export const RuntimeDynamicGroupStatsScaling = Brick.component(
  "RuntimeDynamicGroupStatsScaling",
  {
    scalingStatsImpl: Injector.required<Statistic.Statistic>(),
    inputViewImpl: Injector.required<View.View>(),
    ...Restricted.dependencies
  },
  (given): Scaling => {
    const label = "RuntimeDynamicGroupStatsScaling"
    const { scalingStatsImpl, inputViewImpl } = given
    Restricted.check(inputViewImpl.groups !== undefined, label, "inputViewImpl", "must be a view that makes groups")
    const { parts, ofStatistic } = Restricted.make(given)
    return Brick.make(
      label,
      { scalingStatsImpl, inputViewImpl, ...parts() },
      {},
      {
        apply: (state: Brick.State, x: tf.Tensor, threshold?: tf.Tensor) => {
          const onTrial = state.trial?.scale
          const [s, afterStats] =
            onTrial === undefined
              ? Brick.call(scalingStatsImpl, state, "scalingStatsImpl", inputViewImpl.apply(x))
              : [onTrial, {}]
          const memory = Brick.remembered(state.memory, { scalingStatsImpl: afterStats })
          return [ofStatistic(s, threshold), memory] as const
        }
      }
    )
  }
)

/** Brings the statistic of an input of some shape into the shape that its scale broadcasts with. */
export type BroadcastableShape = (shape: ReadonlyArray<number>) => ReadonlyArray<number>

/** One scale for the whole input. */
export const perTensor: BroadcastableShape = () => []
/** One scale for each row: all axes but the last one, which becomes 1. */
export const perRow: BroadcastableShape = (shape) => [...shape.slice(0, -1), 1]

/**
 * A scale for each input, or each of its rows, in training and evaluation alike. The minimum is applied only after the
 * restriction, so that the statistic itself must be positive where it is learned as a logarithm.
 *
 * - formula:  `y = RC(I(statistic(view(x)))) / tau`
 * - shapes:   `x [...d] -> y [...dynamicScalingBroadcastableShape(d)]`
 * - gradient: through the statistic into x, and to the threshold
 * - errors:   none; NaN passes
 * - source:   Brevitas, brevitas_examples/common/generative/quant_blocks.py
 *
 * @since 0.2.0
 */
export const RuntimeDynamicStatsScaling = Brick.component(
  "RuntimeDynamicStatsScaling",
  {
    scalingStatsImpl: Injector.required<Statistic.Statistic>(),
    scalingStatsInputViewShapeImpl: Injector.optional<View.View>(View.identity),
    dynamicScalingBroadcastableShape: Injector.required<BroadcastableShape>(),
    restrictScalingImpl: Restricted.dependencies.restrictScalingImpl,
    restrictThresholdImpl: Restricted.dependencies.restrictThresholdImpl,
    scalingMinVal: Restricted.dependencies.scalingMinVal
  },
  (given): Scaling => {
    const { scalingStatsImpl: statsImpl, scalingStatsInputViewShapeImpl: view } = given
    const {
      parts,
      init,
      restrictClamp,
      threshold: restrictedThreshold
    } = Restricted.make({
      ...given,
      restrictScaleThresholdImpl: undefined,
      isScaleUnsigned: true
    })
    const whole = (s: tf.Tensor): tf.Tensor => restrictClamp(init(s))
    /** the logarithm of 0 has no gradient: what is all zeros gives none back, rather than NaN */
    const restricted = (s: tf.Tensor): tf.Tensor => {
      if (given.restrictScalingImpl.initLabel !== "LogTwo") return whole(s)
      const positive = tf.greater(Gradient.stopped(s), 0)
      return tf.where(positive, whole(tf.where(positive, s, tf.onesLike(s))), Gradient.stopped(whole(s)))
    }
    const { restrictScalingPre, restrictClampScaling, restrictThresholdPre, restrictClampThreshold } = parts()
    const children = {
      scalingStatsInputViewShapeImpl: view,
      statsImpl,
      restrictScalingPre,
      restrictClampScaling,
      restrictThresholdPre,
      restrictClampThreshold
    }
    return Brick.make(
      "RuntimeDynamicStatsScaling",
      children,
      {},
      {
        apply: (state: Brick.State, x: tf.Tensor, threshold?: tf.Tensor) => {
          const onTrial = state.trial?.scale
          const [s, afterStats] =
            onTrial === undefined ? Brick.call(statsImpl, state, "statsImpl", view.apply(x)) : [onTrial, {}]
          const scale = tf.div(restricted(s), magnitude(restrictedThreshold(threshold)))
          const shaped = tf.reshape(scale, [...given.dynamicScalingBroadcastableShape(x.shape)])
          return [shaped, Brick.remembered(state.memory, { statsImpl: afterStats })] as const
        }
      }
    )
  }
)
