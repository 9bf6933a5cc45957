/**
 * Scale factors from statistics of the weights that they scale.
 *
 * Room: core (level 2). Imports: tfjs, `inject`, and its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Brick from "./Brick.ts"
import * as Module from "./Module.ts"
import * as Restricted from "./Restricted.ts"
import type { Scaling } from "./Scaling.ts"
import * as Statistic from "./Statistic.ts"
import * as View from "./View.ts"

/** What a scale from statistics needs besides the statistic itself. */
export const dependencies = {
  scalingStatsImpl: Injector.required<Statistic.Statistic>(),
  /** absent: the shape of the statistic */
  scalingShape: Injector.optional<ReadonlyArray<number> | undefined>(undefined),
  /** multiplies the statistic by a learned weight that begins here; absent: no weight */
  scalingAffineRescalingInit: Injector.optional<number | undefined>(undefined),
  /** adds a learned bias that begins here; absent: no bias */
  scalingAffineShiftingInit: Injector.optional<number | undefined>(undefined),
  ...Restricted.dependencies
}
/** What a scale from statistics needs, as given. */
export type Given = Injector.AllOf<typeof dependencies>

/** Turns a statistic into a scale: `A(RC(aff(I(M(s)))) / tau)`. */
export interface FromStatistic extends Brick.Stateful<readonly [s: tf.Tensor, threshold?: tf.Tensor], tf.Tensor> {
  /** `aff(I(M(s)))`: the statistic in the learned domain */
  readonly learned: (state: Brick.State, s: tf.Tensor) => tf.Tensor
  readonly restricted: Restricted.Restricted
}

/** Scales and shifts a value in the learned domain. */
export type Affine = Brick.Stateful<readonly [v: tf.Tensor], tf.Tensor>

/**
 * `v * affineWeight + affineBias`, both learned from their first values; the bias may be absent, and without a weight the value
 * stays as it is. The brick that holds this one lists what it owns.
 */
export const affine = (
  given: Pick<Given, "scalingAffineRescalingInit" | "scalingAffineShiftingInit" | "scalingShape">
): Affine => {
  const { scalingAffineRescalingInit: weight, scalingAffineShiftingInit: bias, scalingShape = [] } = given
  Restricted.check(
    bias === undefined || weight !== undefined,
    "the scaling",
    "scalingAffineShiftingInit",
    "needs scalingAffineRescalingInit: what is shifted is what was rescaled"
  )
  if (weight === undefined)
    return Brick.make("Identity", {}, {}, { apply: (_: Brick.State, v: tf.Tensor) => [v, {}] as const })
  const shape = [...scalingShape]
  const affineBias: Brick.Brick =
    bias === undefined
      ? Brick.shown("StatelessBuffer")
      : Brick.make("ParameterWrapper", {}, { parameters: { value: tf.fill(shape, bias) } }, {})
  const parameters = { affineWeight: tf.fill(shape, weight) }
  return Brick.make(
    "_AffineRescaling",
    { affineBias },
    { parameters, constants: affineBias.own },
    {
      apply: (state: Brick.State, v: tf.Tensor) => {
        const scaled = tf.mul(v, state.parameters.affineWeight as tf.Tensor)
        const { value: shift } = Brick.partOf(state, "affineBias").parameters
        return [shift === undefined ? scaled : tf.add(scaled, shift as tf.Tensor), {}] as const
      }
    }
  )
}

/** The brick that turns statistics into scales; its affine parameters are disposed with the brick that holds it. */
export const fromStatistic = (given: Given): FromStatistic => {
  const restricted = Restricted.make(given)
  const affineRescaling = affine(given)
  const children = { affineRescaling, ...restricted.parts() }
  const learned = (state: Brick.State, s: tf.Tensor): tf.Tensor =>
    Brick.call(affineRescaling, state, "affineRescaling", restricted.init(restricted.clamped(s)))[0]
  return Brick.make(
    "_StatsScaling",
    children,
    { constants: affineRescaling.own },
    {
      learned,
      restricted,
      apply: (state: Brick.State, s: tf.Tensor, threshold?: tf.Tensor) =>
        [
          given.scalingAffineRescalingInit === undefined
            ? restricted.ofStatistic(s, threshold)
            : restricted.scale(learned(state, s), threshold),
          {}
        ] as const
    }
  )
}

const ofParameters = {
  scalingStatsInputViewShapeImpl: Injector.optional<View.View>(View.identity),
  /** the axis along which the views of shared weights are joined */
  scalingStatsInputConcatDim: Injector.optional(0),
  /** the layers that share the quantizer, for printing; absent: one */
  module: Injector.optional<Module.Modules | undefined>(undefined),
  ...dependencies
}
const parametersOf = (given: Injector.AllOf<typeof ofParameters>): Statistic.Statistic =>
  Statistic.ofParameters({
    statsImpl: given.scalingStatsImpl,
    view: given.scalingStatsInputViewShapeImpl,
    concatDim: given.scalingStatsInputConcatDim,
    shape: given.scalingShape,
    role: "scale",
    trackedCount: Module.count(given.module)
  })

/**
 * A scale recomputed at each call from the weights.
 *
 * - formula:  `y = A(RC(aff(I(M(statistic(view(x)))))) / tau)`
 * - shapes:   `x [...d] -> y [...scalingShape]`
 * - gradient: through the statistic into x, to the affine parameters and to the threshold
 * - errors:   InvalidOptions for a shift without a rescaling; NaN passes
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
      { constants: statsScalingImpl.own },
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
 * - formula:  `value <- value * aff(I(M(statistic(view(x)))))` at first, from `value = 1`; `y = A(RC(value) / tau)`
 * - shapes:   `x [...d] -> y [...scalingShape]`
 * - gradient: to `value` and the threshold; none to x
 * - errors:   InvalidOptions for a shift without a rescaling; NaN passes
 * - source:   Brevitas, core/scaling/standalone.py
 */
export const ParameterFromStatsFromParameterScaling = Brick.component(
  "ParameterFromStatsFromParameterScaling",
  ofParameters,
  (given): Scaling => {
    const parameterListStats = parametersOf(given)
    const statsScalingImpl = fromStatistic(given)
    const { restricted } = statsScalingImpl
    const { restrictThresholdPre, clampScaling } = restricted.parts()
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
    const learned = (state: Brick.State, x: tf.Tensor): Brick.Answer<tf.Tensor> => {
      const [s, afterStats] = Brick.call(parameterListStats, state, "parameterListStats", x)
      const value = statsScalingImpl.learned(Brick.partOf(state, "statsScalingImpl"), s)
      return [value, Brick.remembered(state.memory, { parameterListStats: afterStats })]
    }
    const initial = (state: Brick.State, x: tf.Tensor): Brick.Answer<tf.Tensor> => {
      const [value, memory] = learned(state, x)
      return [tf.mul(state.parameters.value as tf.Tensor, value), memory]
    }
    const own = {
      parameters: { value: tf.ones([...(given.scalingShape ?? [])]) },
      memory: { initDone: 0 },
      constants: statsScalingImpl.own,
      prepare: Statistic.begunOnce(initial),
      persistence: Statistic.savedOnceBegun
    }
    return Brick.make("ParameterFromStatsFromParameterScaling", children, own, {
      apply: (state: Brick.State, x: tf.Tensor, threshold?: tf.Tensor) => {
        const { parameters, memory, trial } = state
        const [value] =
          trial !== undefined
            ? learned(state, x)
            : memory.initDone === 1
              ? [parameters.value as tf.Tensor]
              : initial(state, x)
        return [restricted.scale(value, threshold), memory] as const
      }
    })
  }
)

// ---- initial values from statistics -------------------------------------------------------------------------

/** The statistic of the weights over the largest integer of as many bits: no smaller than the minimum, if there is one. */
const initialScale = (
  modules: Module.Modules,
  statsImpl: Statistic.Statistic,
  view: View.View,
  concatDim: number,
  shape: ReadonlyArray<number> | undefined,
  bitWidth: number,
  min: number | undefined
): tf.Tensor =>
  tf.tidy(() => {
    Restricted.check(bitWidth > 1, "the scaling", "bitWidth", `must be more than 1; it is ${bitWidth}`)
    const tracked = Module.list(modules).map(({ weight }) => weight)
    const statistic = Statistic.ofParameters({ statsImpl, view, concatDim, shape, role: "scale" })
    const state = { parameters: statistic.parameters, memory: statistic.memory, training: false, tracked }
    const [s] = statistic.apply(state, tracked[0] as tf.Tensor)
    return tf.clone(Restricted.clampedAt(min)(tf.div(s, 2 ** (bitWidth - 1) - 1)))
  })

/**
 * The attribute `scalingInit` of quantizers that learn their scale already divided by the integer threshold (weight
 * normalization, accumulator-aware): `statistic(view(weights)) / (2^(bitWidth-1) - 1)`, held above `scalingMinVal`.
 *
 * @since 0.2.0
 */
export const scalingInitFromStats = Injector.valueScoped(
  [
    "module",
    "scalingStatsImpl",
    "scalingStatsInputViewShapeImpl",
    Injector.orElse("scalingStatsInputConcatDim", 0),
    Injector.orElse("scalingShape", undefined),
    "bitWidth",
    Injector.orElse("scalingMinVal", undefined)
  ],
  initialScale,
  (made) => made.dispose()
)
