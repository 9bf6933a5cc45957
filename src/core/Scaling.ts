/**
 * Scale factors: constant, learned, from statistics of a parameter, learned from statistics of what runs through.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `tensor`, `./Brick.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Clamp from "../op/Clamp.ts"
import { magnitude } from "../op/Sign.ts"
import * as Brick from "./Brick.ts"
import type { Statistic } from "./Statistic.ts"

/** Answers the scale: the scaling's own value divided by `threshold`; without one the answer has at least one axis. */
export type Scaling = Brick.Stateful<readonly [x: tf.Tensor, threshold?: tf.Tensor], tf.Tensor>

// ---- what scales share --------------------------------------------------------------------------------------

const bounded = (x: tf.Tensor, min: number | undefined): tf.Tensor => (min === undefined ? x : Clamp.atLeast(x, min))
const over = (scale: tf.Tensor, threshold: tf.Tensor | undefined): tf.Tensor =>
  threshold === undefined ? (scale.rank === 0 ? tf.reshape(scale, [1]) : scale) : tf.div(scale, magnitude(threshold))

const clampLabel = (min: number | undefined): string => (min === undefined ? "Identity" : "ScalarSignedClampMinSte")
const restrictClamp = (min: number | undefined, restriction?: string): Brick.Brick =>
  Brick.shown("_RestrictClampValue", {
    clampMinSte: Brick.shown(clampLabel(min)),
    ...(restriction !== undefined && { restrictValueImpl: Brick.shown(restriction) }),
    applyAbs: Brick.shown("Abs")
  })

const positioned = (init: number | tf.Tensor, shape: ReadonlyArray<number>): tf.Tensor =>
  tf.tidy(() => {
    const value = typeof init === "number" ? tf.scalar(init) : init
    return value.shape.length >= shape.length && tf.util.sizeFromShape([...shape]) === value.size
      ? value.clone()
      : tf.add(value, tf.zeros([...shape])).clone()
  })

const standalone = {
  scalingInit: Injector.required<number | tf.Tensor>(),
  scalingShape: Injector.optional<ReadonlyArray<number>>([]),
  scalingMinVal: Injector.optional<number | undefined>(undefined)
}

// ---- constant and learned -----------------------------------------------------------------------------------

/**
 * A fixed scale.
 *
 * - formula:  `y = |max(init, min)| / threshold`
 * - shapes:   `scalingShape -> y [...scalingShape]`
 * - gradient: to the threshold only
 * - errors:   none
 * - source:   Brevitas, core/scaling/standalone.py
 */
export const ConstScaling = Brick.component("ConstScaling", standalone, (given): Scaling => {
  const value = positioned(given.scalingInit, given.scalingShape)
  const children = {
    restrictClampScaling: restrictClamp(given.scalingMinVal, "FloatRestrictValue"),
    restrictClampThreshold: restrictClamp(undefined),
    restrictClampScaleThreshold: restrictClamp(undefined, "Identity"),
    value: Brick.shown("StatelessBuffer"),
    restrictThresholdPre: Brick.shown("Identity")
  }
  return Brick.make(
    "ConstScaling",
    children,
    { constants: [value] },
    {
      apply: (_: Brick.State, __: tf.Tensor, threshold?: tf.Tensor) =>
        [over(magnitude(bounded(value, given.scalingMinVal)), threshold), {}] as const
    }
  )
})

/**
 * A learned scale.
 *
 * - formula:  `y = |max(value, min)| / threshold`, `value` learned from `scalingInit`
 * - shapes:   `scalingShape -> y [...scalingShape]`
 * - gradient: `dvalue = dy * sign(value) / threshold`; none to x
 * - errors:   none
 * - source:   Esser et al. 2020, arXiv:1902.08153; Brevitas, core/scaling/standalone.py
 */
export const ParameterScaling = Brick.component("ParameterScaling", standalone, (given): Scaling => {
  const children = {
    restrictClampScaling: restrictClamp(given.scalingMinVal, "FloatRestrictValue"),
    restrictClampThreshold: restrictClamp(undefined),
    restrictThresholdPre: Brick.shown("Identity"),
    restrictClampScaleThreshold: restrictClamp(undefined, "Identity")
  }
  const parameters = { value: positioned(given.scalingInit, given.scalingShape) }
  return Brick.make(
    "ParameterScaling",
    children,
    { parameters },
    {
      apply: ({ parameters: { value } }: Brick.State, _: tf.Tensor, threshold?: tf.Tensor) =>
        [over(magnitude(bounded(value as tf.Tensor, given.scalingMinVal)), threshold), {}] as const
    }
  )
})

// ---- from statistics ----------------------------------------------------------------------------------------

/**
 * A scale recomputed at each call from the tensor itself.
 *
 * - formula:  `y = |max(statistic(x), min)| / threshold`
 * - shapes:   `x [...d] -> y []`
 * - gradient: through the statistic into x
 * - errors:   none
 * - source:   Brevitas, core/scaling/runtime.py
 */
export const StatsFromParameterScaling = Injector.component(
  "StatsFromParameterScaling",
  { scalingStatsImpl: Injector.required<Statistic>(), scalingMinVal: Injector.optional<number | undefined>(undefined) },
  ({ scalingStatsImpl, scalingMinVal }): Scaling => {
    const stats = Brick.shown("_Stats", { statsImpl: scalingStatsImpl })
    const children = {
      parameterListStats: Brick.shown("_ParameterListStats", {
        firstTrackedParam: Brick.shown("_ViewParameter", { viewShapeImpl: Brick.shown("OverTensorView") }),
        stats
      }),
      statsScalingImpl: Brick.shown("_StatsScaling", {
        affineRescaling: Brick.shown("Identity"),
        restrictClampScaling: restrictClamp(scalingMinVal, "FloatRestrictValue"),
        restrictClampThreshold: restrictClamp(undefined),
        restrictClampScaleThreshold: restrictClamp(undefined, "Identity"),
        restrictScalingPre: Brick.shown("Identity"),
        restrictThresholdPre: Brick.shown("Identity"),
        clampScaling: Brick.shown("_ClampValue", { clampMinSte: Brick.shown(clampLabel(scalingMinVal)) })
      })
    }
    return Brick.make(
      "StatsFromParameterScaling",
      children,
      {},
      {
        apply: (_: Brick.State, x: tf.Tensor, threshold?: tf.Tensor) =>
          [over(magnitude(bounded(scalingStatsImpl.apply(x), scalingMinVal)), threshold), {}] as const
      }
    )
  }
)

/**
 * A learned scale that begins as the statistic of what runs through: for `collectStatsSteps` training calls the statistic
 * of each call scales, and is averaged; then the average becomes the parameter.
 *
 * - formula:  `collecting: y = max(s, min) / threshold, buffer <- s first, then (1 - m) * buffer + m * s`; then
 *   `y = max(value, min) / threshold`; in evaluation `y = max(|buffer or value| / threshold, min)`
 * - shapes:   `x [...d] -> y []`
 * - gradient: into x while collecting, then `dvalue = dy / threshold`
 * - errors:   none
 * - source:   Brevitas, core/scaling/standalone.py
 */
export const ParameterFromRuntimeStatsScaling = Brick.component(
  "ParameterFromRuntimeStatsScaling",
  {
    scalingStatsImpl: Injector.required<Statistic>(),
    collectStatsSteps: Injector.required<number>(),
    scalingStatsMomentum: Injector.optional<number | undefined>(0.1),
    scalingMinVal: Injector.optional<number | undefined>(undefined)
  },
  ({ scalingStatsImpl, collectStatsSteps: steps, scalingStatsMomentum: momentum, scalingMinVal: min }): Scaling => {
    const identity = Brick.shown("Identity")
    const children = {
      statsInputViewShapeImpl: Brick.shown("OverTensorView"),
      stats: Brick.shown("_Stats", { statsImpl: scalingStatsImpl }),
      absValue: Brick.shown("_AbsValue", { applyAbs: Brick.shown("Abs") }),
      restrictScaling: Brick.shown("_RestrictValue", { restrictValueImpl: Brick.shown("FloatRestrictValue") }),
      restrictThreshold: Brick.shown("_RestrictValue"),
      restrictScaleThreshold: Brick.shown("_RestrictValue", { restrictValueImpl: identity }),
      clampScaling: Brick.shown("_ClampValue", { clampMinSte: Brick.shown(clampLabel(min)) }),
      restrictInplacePreprocess: identity,
      restrictScalingPre: identity,
      restrictThresholdPre: identity
    }
    const averaged = (buffer: tf.Tensor, counter: number, s: tf.Tensor): tf.Tensor =>
      counter === 0
        ? tf.mul(buffer, s)
        : momentum === undefined
          ? tf.add(tf.div(tf.mul(buffer, counter), counter + 1), tf.div(s, counter + 1))
          : tf.add(tf.mul(buffer, 1 - momentum), tf.mul(s, momentum))
    const own = {
      parameters: { value: tf.scalar(1) },
      memory: { buffer: tf.scalar(1), counter: 0 },
      prepare: ({ parameters, memory, training }: Brick.State) =>
        training && memory.counter === steps
          ? {
              parameters: { ...parameters, value: tf.mul(parameters.value as tf.Tensor, memory.buffer as tf.Tensor) },
              memory: { ...memory, counter: steps + 1 }
            }
          : { parameters, memory }
    }
    return Brick.make("ParameterFromRuntimeStatsScaling", children, own, {
      apply: ({ parameters, memory, training }: Brick.State, x: tf.Tensor, threshold?: tf.Tensor) => {
        const counter = Number(memory.counter)
        const buffer = memory.buffer as tf.Tensor
        const divided = (y: tf.Tensor): tf.Tensor =>
          threshold === undefined ? over(y, threshold) : tf.div(y, threshold)
        if (training && counter < steps) {
          const s = bounded(scalingStatsImpl.apply(x), min)
          return [divided(s), { buffer: averaged(buffer, counter, s), counter: counter + 1 }] as const
        }
        const value = counter > steps ? (parameters.value as tf.Tensor) : buffer
        return training
          ? ([divided(bounded(value, min)), memory] as const)
          : ([bounded(divided(magnitude(value)), min), memory] as const)
      }
    })
  }
)
