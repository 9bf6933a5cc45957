/**
 * Scales for rounding only (before the clip), from the norm of each channel: weight normalization, and accumulator-aware
 * quantization, which bounds the norm so that no sum of products overflows.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, and its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Clamp from "../op/Clamp.ts"
import * as Range from "../op/Range.ts"
import * as Relu from "../op/Relu.ts"
import * as Gradient from "../tensor/Gradient.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import type { BitWidth } from "./BitWidth.ts"
import * as Brick from "./Brick.ts"
import * as Module from "./Module.ts"
import * as Restricted from "./Restricted.ts"
import * as Restriction from "./Restriction.ts"
import type { Scaling } from "./Scaling.ts"
import * as Statistic from "./Statistic.ts"
import type * as View from "./View.ts"
import type { ZeroPoint } from "./ZeroPoint.ts"

/** Answers what a weight is divided by before it is rounded; some depend on the format of the layer's input. */
export type PreScaling = Brick.Stateful<
  readonly [weight: tf.Tensor, inputBitWidth?: tf.Tensor | undefined, inputIsSigned?: boolean | undefined],
  tf.Tensor
>

const normed = {
  /** the scale after the clip, in steps of which the norm is learned */
  scalingImpl: Injector.required<Scaling>(),
  /** takes its place as a learned copy of its own, so that the two may differ; absent: one scale serves both */
  preScalingScalingImpl: Injector.optional<Scaling | undefined>(undefined),
  normalizeStatsImpl: Injector.required<Statistic.Statistic>(),
  scalingStatsInputViewShapeImpl: Injector.required<View.View>(),
  /** the layer whose weight the learned norm begins from */
  module: Injector.required<Module.Modules>(),
  /** absent: the shape of the norm */
  preScalingShape: Injector.optional<ReadonlyArray<number> | undefined>(undefined),
  restrictPreScalingImpl: Injector.optional<Restriction.Restriction | undefined>(undefined),
  preScalingMinVal: Injector.optional<number | undefined>(undefined)
}
type Normed = Injector.AllOf<typeof normed>

const aware = { ...normed, accumulatorBitWidthImpl: Injector.required<BitWidth>() }
type Aware = Injector.AllOf<typeof aware>

// ---- the learned norm ---------------------------------------------------------------------------------------

/** What a weight's pre-scale is made of. */
interface Norms {
  /** the norm of each channel of the weight */
  readonly d: tf.Tensor
  /** the learned norm `RC(value)` */
  readonly g: tf.Tensor
  /** the learned scale */
  readonly s: tf.Tensor
  readonly memory: Brick.State["memory"]
}

/** The parts of a learned norm: how it begins, and the norms at a call. */
const learnedNorm = (label: string, given: Normed) => {
  const { scalingStatsInputViewShapeImpl: view, preScalingShape: shape, preScalingMinVal } = given
  const scalingImpl = given.preScalingScalingImpl ?? given.scalingImpl
  const modules = Module.list(given.module)
  Restricted.check(
    modules.length === 1,
    label,
    "module",
    `must be a single layer: a norm is not shared; there are ${modules.length}`
  )
  const { weight } = modules[0] as Module.Module
  const restriction = given.restrictPreScalingImpl ?? Restriction.float
  const { clamped, restrictClamp, parts } = Restricted.make({
    restrictScalingImpl: restriction,
    restrictThresholdImpl: undefined,
    restrictScaleThresholdImpl: undefined,
    scalingMinVal: preScalingMinVal,
    isScaleUnsigned: true
  })
  const stats = Statistic.shaped(given.normalizeStatsImpl, shape, "scale")
  const begin = (): tf.Tensor => {
    const state = { parameters: stats.parameters, memory: stats.memory, training: false }
    const norm = stats.apply(state, view.apply(weight))[0]
    const value = restriction.init(clamped(norm))
    return value.rank === 0 && shape !== undefined ? tf.mul(tf.ones([...shape]), value) : tf.clone(value)
  }
  const { clampMinSte } = parts().clampScaling.children
  const restrictClampScaling =
    given.restrictPreScalingImpl === undefined
      ? Brick.shown("_RestrictClampValue", {
          clampMinSte: clampMinSte as Brick.Brick,
          restrictValueImpl: Brick.shown("Identity"),
          applyAbs: Brick.shown("Abs")
        })
      : parts().restrictClampScaling
  return {
    clamped,
    children: { stats, statsInputViewShapeImpl: view, scalingImpl, restrictClampScaling },
    own: { parameters: { value: tf.tidy(begin) } },
    normOf: (state: Brick.State, x: tf.Tensor): tf.Tensor =>
      Brick.call(stats, { ...state, trial: undefined }, "stats", view.apply(x))[0],
    norms: (state: Brick.State, x: tf.Tensor): Norms => {
      const viewed = view.apply(x)
      // a norm is never on trial: what is searched for is the scale after the clip
      const [d, afterStats] = Brick.call(stats, { ...state, trial: undefined }, "stats", viewed)
      const [s, afterScaling] = Brick.call(scalingImpl, state, "scalingImpl", viewed)
      const g = restrictClamp(state.parameters.value as tf.Tensor)
      return { d, g, s, memory: Brick.remembered(state.memory, { stats: afterStats, scalingImpl: afterScaling }) }
    }
  }
}

// ---- pre-scales ---------------------------------------------------------------------------------------------

/**
 * The pre-scale of weight normalization: `w / y` has the learned norm, in steps of the learned scale.
 *
 * - formula:  `y = s * d / g`, `d` the norm of each channel of the weight, `g = RC(value)` learned from `I(d)`, `s` the scale
 * - shapes:   `w [...d] -> y [...preScalingShape]`
 * - gradient: to `value`, to the scale, and through the norm into the weight
 * - errors:   InvalidOptions for several layers; a channel of zeros gives NaN
 * - source:   Salimans, Kingma 2016, arXiv:1602.07868; Colbert et al. 2023, arXiv:2308.13504
 *
 * @since 0.2.0
 */
export const ParameterPreScalingWeightNorm = Brick.component(
  "ParameterPreScalingWeightNorm",
  normed,
  (given): PreScaling => {
    const { children, own, norms } = learnedNorm("ParameterPreScalingWeightNorm", given)
    return Brick.make("ParameterPreScalingWeightNorm", children, own, {
      apply: (state: Brick.State, weight: tf.Tensor) => {
        const { d, g, s, memory } = norms(state, weight)
        return [tf.div(tf.mul(s, d), g), memory] as const
      }
    })
  }
)

/** The largest l1 norm of integer weights, from the accumulator's bits and the input's format. */
type Bound = (accumulator: tf.Tensor, inputBitWidth: tf.Tensor, inputIsSigned: boolean) => tf.Tensor

/** The norm `of(x)` of each channel. */
type NormOf = (x: tf.Tensor) => tf.Tensor

/** What rounding in float32 may add to the integers, relative to what they are made of: of a quotient, its shift, a norm. */
const margin = 2 ** -22

/** What is missing to a larger norm, which the gradient does not see. */
const excess = (d: tf.Tensor, larger: tf.Tensor): tf.Tensor => Gradient.stopped(tf.sub(larger, d))

const bounded = (
  label: string,
  given: Aware,
  bound: Bound,
  centre: (state: Brick.State, weight: tf.Tensor) => tf.Tensor,
  /** a norm that the integers do not exceed in float32 either; absent: the norm itself is one */
  safe?: (centred: tf.Tensor, weight: tf.Tensor, of: NormOf) => tf.Tensor,
  more: Readonly<Record<string, Brick.Brick>> = {}
): PreScaling => {
  const { clamped, children, own, norms, normOf } = learnedNorm(label, given)
  const { accumulatorBitWidthImpl: accumulatorBitWidth } = given
  const needed = <A>(value: A | undefined, option: string): A => {
    if (value !== undefined) return value
    throw new InvalidOptions({ what: label, option, reason: "is needed at each call: quantize the input of the layer" })
  }
  return Brick.make(label, { ...children, accumulatorBitWidth, ...more }, own, {
    apply: (state: Brick.State, weight: tf.Tensor, inputBitWidth?: tf.Tensor, inputIsSigned?: boolean) => {
      const [bits, signed] = [needed(inputBitWidth, "inputBitWidth"), needed(inputIsSigned, "inputIsSigned")]
      const centred = centre(state, weight)
      const { d, g, s, memory } = norms(state, centred)
      const sure =
        safe === undefined
          ? d
          : tf.add(
              d,
              excess(
                d,
                safe(centred, weight, (x) => normOf(state, x))
              )
            )
      const [accumulator] = Brick.call(accumulatorBitWidth, state, "accumulatorBitWidth")
      const highest = tf.mul(bound(accumulator, bits, signed), 1 - margin)
      const norm = Clamp.between(tf.div(g, s), tf.scalar(Number.NEGATIVE_INFINITY), highest)
      return [clamped(tf.div(sure, norm)), memory] as const
    }
  })
}

/**
 * The pre-scale of accumulator-aware quantization (A2Q): the learned norm in integer steps stays below what the accumulator
 * holds, whatever the inputs are.
 *
 * - formula:  `y = M(d / min(g / s, U (1 - e)))`, `U = (2^(P-1) - 1) * 2^(S-N)`, `e = 2^-22`, so that rounding in float32 does not
 *   exceed it either; `d`, `g`, `s` as in `ParameterPreScalingWeightNorm`
 * - shapes:   `w [...d] -> y [...preScalingShape]`
 * - gradient: through the norm into the weight; to `value` and the scale where the bound is not active, else to the widths
 * - errors:   InvalidOptions for several layers, and when called without the input's format
 * - source:   Colbert, Pappalardo, Petri-Koenig 2023, arXiv:2308.13504
 *
 * @since 0.2.0
 */
export const AccumulatorAwareParameterPreScaling = Brick.component(
  "AccumulatorAwareParameterPreScaling",
  aware,
  (given): PreScaling => bounded("AccumulatorAwareParameterPreScaling", given, Range.l1Bound, (_, weight) => weight)
)

/**
 * The pre-scale of A2Q+: as `AccumulatorAwareParameterPreScaling` on weights with zero mean for each channel, whose norm may be
 * larger.
 *
 * - formula:  `y = M(d / min(g / s, U (1 - e)))`, `d = 2 max(|c+|, |c-|) + e |w|`, `c = w - mean(w)`, `U = (2^P - 2) / (2^N - 1)`,
 *   `e = 2^-22`: d is the norm of c, but for what the mean leaves in float32, which must not become a sum of integers
 * - shapes:   `w [...d] -> y [...preScalingShape]`
 * - gradient: through the norm and the mean into the weight; to `value` and the scale where the bound is not active
 * - errors:   InvalidOptions for several layers or another zero-point than PreZeroCenterZeroPoint, and without the input's format
 * - source:   Colbert et al. 2024, arXiv:2401.10432
 *
 * @since 0.2.0
 */
export const AccumulatorAwareZeroCenterParameterPreScaling = Brick.component(
  "AccumulatorAwareZeroCenterParameterPreScaling",
  { ...aware, preZeroPointImpl: Injector.required<ZeroPoint>() },
  (given): PreScaling => {
    const label = "AccumulatorAwareZeroCenterParameterPreScaling"
    const { preZeroPointImpl: preZeroPoint } = given
    Restricted.check(
      preZeroPoint.label === "PreZeroCenterZeroPoint",
      label,
      "preZeroPointImpl",
      `must be a PreZeroCenterZeroPoint; it is a ${preZeroPoint.label}`
    )
    // the zero-point at scale 1 is the mean itself, negated
    const centre = (state: Brick.State, weight: tf.Tensor): tf.Tensor => {
      const one = tf.scalar(1)
      return tf.add(weight, Brick.call(preZeroPoint, state, "preZeroPoint", weight, one, one)[0])
    }
    // a mean in float32 leaves a rest, which the integers must not make a sum of: both signs keep to half of the bound
    const safe = (centred: tf.Tensor, weight: tf.Tensor, of: NormOf): tf.Tensor => {
      const [above, below] = [of(Relu.relu(centred)), of(Relu.relu(tf.neg(centred)))]
      const larger = tf.add(above, Relu.relu(tf.sub(below, above)))
      return tf.add(tf.mul(larger, 2), tf.mul(of(weight), margin))
    }
    return bounded(label, given, Range.centredL1Bound, centre, safe, { preZeroPoint })
  }
)
