/**
 * Fragments that ready-made quantizers are merged from.
 *
 * Room: quant (level 3). Imports: `inject`, `core`.
 */
import * as BitWidth from "../core/BitWidth.ts"
import * as IntQuant from "../core/IntQuant.ts"
import * as Scaling from "../core/Scaling.ts"
import * as Statistic from "../core/Statistic.ts"
import * as ZeroPoint from "../core/ZeroPoint.ts"
import * as Injector from "../inject/Injector.ts"

/** Integers of a fixed width, nearest rounding, zero-point 0. */
export const Int = Injector.make("Int", {
  tensorQuant: IntQuant.RescalingIntQuant,
  intQuant: IntQuant.IntQuant,
  floatToIntImpl: IntQuant.RoundSte,
  intScalingImpl: IntQuant.IntScaling,
  zeroPointImpl: ZeroPoint.ZeroZeroPoint,
  msbClampBitWidthImpl: BitWidth.BitWidthConst,
  signed: true,
  narrowRange: false
})

/** Eight bits. */
export const Bits8 = Injector.make("Bits8", { bitWidth: 8 })

/** A scale from the largest magnitude of the weight, at each call; the clamp passes gradients because the scale follows. */
export const MaxStatsScaling = Injector.make("MaxStatsScaling", {
  scalingImpl: Scaling.StatsFromParameterScaling,
  scalingStatsImpl: Statistic.AbsMax,
  scalingMinVal: 1e-10,
  tensorClampImpl: IntQuant.TensorClampSte
})

/** A learned scale that begins as a percentile of the activations of the first training steps. */
export const ParamFromRuntimePercentileScaling = Injector.make("ParamFromRuntimePercentileScaling", {
  scalingImpl: Scaling.ParameterFromRuntimeStatsScaling,
  scalingStatsImpl: Statistic.AbsPercentile,
  highPercentileQ: 99.999,
  collectStatsSteps: 300,
  scalingMinVal: 1e-10,
  tensorClampImpl: IntQuant.TensorClamp
})
