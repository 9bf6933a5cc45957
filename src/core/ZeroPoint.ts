/**
 * Where the integer zero lies: at 0, learned, or from statistics of the weights. What runs through has `RuntimeZeroPoint.ts`.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./Brick.ts`, `./ScaleShift.ts`, `./Statistic.ts`,
 * `./StatsScaling.ts`, `./View.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import { magnitudeRising } from "../op/Sign.ts"
import * as Constant from "../tensor/Constant.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Brick from "./Brick.ts"
import * as Module from "./Module.ts"
import * as ScaleShift from "./ScaleShift.ts"
import * as Statistic from "./Statistic.ts"
import { affine } from "./StatsScaling.ts"
import * as View from "./View.ts"

/** Answers the zero-point z of `q = x / scale + z`. */
export type ZeroPoint = Brick.Stateful<readonly [x: tf.Tensor, scale: tf.Tensor, bitWidth: tf.Tensor], tf.Tensor>

const buffered = { zeroPoint: Brick.shown("StatelessBuffer") }

/** The zero-point 0: symmetric quantization. It is a new scalar at each call, so that a brick has nothing to release. */
export const ZeroZeroPoint = Brick.component(
  "ZeroZeroPoint",
  {},
  (): ZeroPoint => Brick.make("ZeroZeroPoint", buffered, {}, { apply: () => [Constant.scalar(0), {}] as const })
)

// ---- learned ------------------------------------------------------------------------------------------------

const positioned = (init: number | tf.Tensor, shape: ReadonlyArray<number> | undefined): tf.Tensor => {
  const given = typeof init === "number" ? undefined : init
  if (given === undefined || given.rank === 0) {
    const number = given === undefined ? (init as number) : (given.dataSync()[0] as number)
    return tf.fill([...(shape ?? [])], number)
  }
  if (shape !== undefined && JSON.stringify(shape) !== JSON.stringify(given.shape))
    throw new InvalidOptions({
      what: "ParameterZeroPoint",
      option: "zeroPointInit",
      reason: `has the shape [${given.shape}]: it must be a scalar or have the zeroPointShape [${shape}]`
    })
  return tf.clone(given)
}

/**
 * A learned zero-point.
 *
 * - formula:  `z = shift(|value|)`, `shift` of `ScaleShift.make`; `value` is learned from `zeroPointInit`
 * - shapes:   `zeroPointShape, or that of zeroPointInit -> z [...zeroPointShape]`
 * - gradient: to `value`, with slope 1 at 0; to scale and bit-width
 * - errors:   `ConstructionFailed` if `zeroPointInit` is neither a scalar nor of `zeroPointShape`
 * - source:   Esser et al. 2020, arXiv:1902.08153; Brevitas, core/zero_point.py
 *
 * @since 0.2.0
 */
export const ParameterZeroPoint = Brick.component(
  "ParameterZeroPoint",
  {
    zeroPointInit: Injector.required<number | tf.Tensor>(),
    zeroPointShape: Injector.optional<ReadonlyArray<number> | undefined>(undefined),
    ...ScaleShift.dependencies
  },
  (given): ZeroPoint => {
    const scaleShiftZeroPoint = ScaleShift.make(given)
    return Brick.make(
      "ParameterZeroPoint",
      { scaleShiftZeroPoint },
      { parameters: { value: positioned(given.zeroPointInit, given.zeroPointShape) } },
      {
        apply: (state: Brick.State, _: tf.Tensor, scale: tf.Tensor, bitWidth: tf.Tensor) => {
          const v = magnitudeRising(state.parameters.value as tf.Tensor)
          return [Brick.call(scaleShiftZeroPoint, state, "scaleShiftZeroPoint", v, scale, bitWidth)[0], {}] as const
        }
      }
    )
  }
)

// ---- from statistics of weights -----------------------------------------------------------------------------

const ofParameters = {
  zeroPointStatsImpl: Injector.required<Statistic.Statistic>(),
  zeroPointStatsInputViewShapeImpl: Injector.optional<View.View>(View.identity),
  /** the axis along which the views of shared weights are joined */
  zeroPointStatsInputConcatDim: Injector.optional(0),
  /** absent: the shape of the statistic */
  zeroPointShape: Injector.optional<ReadonlyArray<number> | undefined>(undefined),
  /** the layers that share the quantizer, for printing; absent: one */
  module: Injector.optional<Module.Modules | undefined>(undefined),
  /** the first value of a learned factor of the statistic; absent: none */
  zeroPointAffineRescalingInit: Injector.optional<number | undefined>(undefined),
  /** the first value of a learned term; absent: none */
  zeroPointAffineShiftingInit: Injector.optional<number | undefined>(undefined),
  ...ScaleShift.dependencies
}

/** The parts that zero-points from the statistics of weights share. */
const partsOf = (what: string, given: Injector.AllOf<typeof ofParameters>) => {
  const { zeroPointAffineRescalingInit, zeroPointAffineShiftingInit, zeroPointShape } = given
  if (zeroPointAffineShiftingInit !== undefined && zeroPointAffineRescalingInit === undefined)
    throw new InvalidOptions({
      what,
      option: "zeroPointAffineShiftingInit",
      reason: "needs zeroPointAffineRescalingInit: what is shifted is what was rescaled"
    })
  return {
    parameterListStats: Statistic.ofParameters({
      statsImpl: given.zeroPointStatsImpl,
      view: given.zeroPointStatsInputViewShapeImpl,
      concatDim: given.zeroPointStatsInputConcatDim,
      shape: zeroPointShape,
      role: "zeroPoint",
      trackedCount: Module.count(given.module)
    }),
    affineRescaling: affine({
      scalingAffineRescalingInit: zeroPointAffineRescalingInit,
      scalingAffineShiftingInit: zeroPointAffineShiftingInit,
      scalingShape: zeroPointShape
    })
  }
}

/**
 * A zero-point recomputed at each call from the weights.
 *
 * - formula:  `z = shift(-aff(statistic(view(x))))`, `shift` of `ScaleShift.make` or `scaleShiftZeroPointImpl`
 * - shapes:   `x [...d] -> z [...zeroPointShape]`
 * - gradient: through the statistic into x, to the affine parameters, to scale and bit-width
 * - errors:   `ConstructionFailed` if there is a `zeroPointAffineShiftingInit` without a `zeroPointAffineRescalingInit`
 * - source:   Brevitas, core/zero_point.py
 *
 * @since 0.2.0
 */
export const StatsFromParameterZeroPoint = Brick.component(
  "StatsFromParameterZeroPoint",
  {
    ...ofParameters,
    /** how the statistic becomes a zero-point, if not as `ScaleShift.make` says */
    scaleShiftZeroPointImpl: Injector.optional<ScaleShift.ScaleShift | undefined>(undefined)
  },
  (given): ZeroPoint => {
    const { scaleShiftZeroPointImpl } = given
    const { parameterListStats, affineRescaling } = partsOf("StatsFromParameterZeroPoint", given)
    const scaleShiftZeroPoint = scaleShiftZeroPointImpl ?? ScaleShift.make(given)
    const below = (state: Brick.State, x: tf.Tensor): Brick.Answer<tf.Tensor> => {
      const [s, afterStats] = Brick.call(parameterListStats, state, "parameterListStats", x)
      return [tf.neg(Brick.call(affineRescaling, state, "affineRescaling", s)[0]), afterStats]
    }
    return Brick.make(
      "StatsFromParameterZeroPoint",
      { parameterListStats, affineRescaling, scaleShiftZeroPoint },
      { constants: affineRescaling.own },
      {
        prepare: (state: Brick.State) => {
          const counted = Brick.prepareChild(parameterListStats, state, "parameterListStats")
          const first = state.tracked?.[0]
          if (scaleShiftZeroPointImpl === undefined || first === undefined) return counted
          const within = { ...counted, tracked: [below(counted, first)[0]] }
          const { parameters, memory } = Brick.prepareChild(scaleShiftZeroPoint, within, "scaleShiftZeroPoint")
          return { parameters, memory }
        },
        apply: (state: Brick.State, x: tf.Tensor, scale: tf.Tensor, bitWidth: tf.Tensor) => {
          const [v, afterStats] = below(state, x)
          const [z, afterShift] = Brick.call(scaleShiftZeroPoint, state, "scaleShiftZeroPoint", v, scale, bitWidth)
          const after = { parameterListStats: afterStats, scaleShiftZeroPoint: afterShift }
          return [z, Brick.remembered(state.memory, after)] as const
        }
      }
    )
  }
)

/**
 * A learned zero-point that begins as the statistic of the weights at the first call, and ignores the weights from then on.
 *
 * - formula:  `value <- value + aff(statistic(view(x)))` at first, from 0; `z = shift(|value|)`
 * - shapes:   `x [...d] -> z [...zeroPointShape]`
 * - gradient: to `value`, with slope 1 at 0; to scale and bit-width; none to x
 * - errors:   `ConstructionFailed` if there is a `zeroPointAffineShiftingInit` without a `zeroPointAffineRescalingInit`
 * - source:   Brevitas, core/zero_point.py
 *
 * @since 0.2.0
 */
export const ParameterFromStatsFromParameterZeroPoint = Brick.component(
  "ParameterFromStatsFromParameterZeroPoint",
  ofParameters,
  (given): ZeroPoint => {
    const { parameterListStats, affineRescaling } = partsOf("ParameterFromStatsFromParameterZeroPoint", given)
    const scaleShiftZeroPoint = ScaleShift.make(given)
    const statistic = (state: Brick.State, x: tf.Tensor): Brick.Answer<tf.Tensor> => {
      const [s, afterStats] = Brick.call(parameterListStats, state, "parameterListStats", x)
      return [s, Brick.remembered(state.memory, { parameterListStats: afterStats })]
    }
    const initial = (state: Brick.State, x: tf.Tensor): Brick.Answer<tf.Tensor> => {
      const [s, memory] = statistic(state, x)
      const [rescaled] = Brick.call(affineRescaling, state, "affineRescaling", s)
      return [tf.add(state.parameters.value as tf.Tensor, rescaled), memory]
    }
    const unshifted = (state: Brick.State, x: tf.Tensor): tf.Tensor => {
      const { parameters, memory, trial } = state
      if (trial?.zeroPoint === undefined && memory.initDone === 1) return magnitudeRising(parameters.value as tf.Tensor)
      return trial === undefined ? magnitudeRising(initial(state, x)[0]) : tf.neg(statistic(state, x)[0])
    }
    const own = {
      parameters: { value: tf.zeros([...(given.zeroPointShape ?? [])]) },
      memory: { initDone: 0 },
      constants: affineRescaling.own,
      prepare: Statistic.begunOnce(initial),
      persistence: Statistic.savedOnceBegun
    }
    return Brick.make(
      "ParameterFromStatsFromParameterZeroPoint",
      { parameterListStats, affineRescaling, scaleShiftZeroPoint },
      own,
      {
        apply: (state: Brick.State, x: tf.Tensor, scale: tf.Tensor, bitWidth: tf.Tensor) => {
          const v = unshifted(state, x)
          const [z] = Brick.call(scaleShiftZeroPoint, state, "scaleShiftZeroPoint", v, scale, bitWidth)
          return [z, state.memory] as const
        }
      }
    )
  }
)

/**
 * Centres each slice around 0 before it is rounded.
 *
 * - formula:  `z = -mean(view(x)) / scale`
 * - shapes:   `x [...d] -> z [...preZeroPointShape]`, broadcast with the scale
 * - gradient: `dx = -dz / (n * scale)`, and to the scale
 * - errors:   none
 * - source:   Colbert et al. 2024, arXiv:2401.10432
 *
 * @since 0.2.0
 */
export const PreZeroCenterZeroPoint = Injector.component(
  "PreZeroCenterZeroPoint",
  {
    /** the axis to average, of the view */
    statsReduceDim: Injector.optional<number | undefined>(undefined),
    preZeroPointStatsInputViewShapeImpl: Injector.optional<View.View>(View.identity),
    /** absent: the shape of the mean, which keeps its axes */
    preZeroPointShape: Injector.optional<ReadonlyArray<number> | undefined>(undefined)
  },
  ({ statsReduceDim, preZeroPointStatsInputViewShapeImpl: view, preZeroPointShape: shape }): ZeroPoint =>
    Brick.make(
      "PreZeroCenterZeroPoint",
      { statsInputViewShapeImpl: view },
      {},
      {
        apply: (_: Brick.State, x: tf.Tensor, scale: tf.Tensor) => {
          const mean = tf.mean(view.apply(x), statsReduceDim, true)
          return [tf.div(tf.neg(shape === undefined ? mean : tf.reshape(mean, [...shape])), scale), {}] as const
        }
      }
    )
)
