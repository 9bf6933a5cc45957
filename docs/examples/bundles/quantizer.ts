import {
  BitWidth,
  Clamp,
  Injector,
  IntQuant,
  IntScaling,
  Restriction,
  Rounding,
  Statistic,
  StatsScaling,
  View,
  ZeroPoint
} from "breve"

/** What `ScaledInt.Int8WeightPerTensorFloat` resolves to, of chosen parts: nothing else is in the bundle. */
export const Int8Weight = Injector.make("Int8Weight", {
  tensorQuant: IntQuant.RescalingIntQuant,
  intQuant: IntQuant.IntQuant,
  bitWidthImpl: BitWidth.BitWidthConst,
  bitWidth: 8,
  signed: true,
  narrowRange: true,
  floatToIntImpl: Rounding.RoundSte,
  tensorClampImpl: Clamp.TensorClampSte,
  scalingImpl: StatsScaling.StatsFromParameterScaling,
  scalingStatsImpl: Statistic.AbsMax,
  scalingStatsInputViewShapeImpl: View.OverTensorView,
  scalingMinVal: 1e-10,
  scalingShape: [],
  restrictScalingImpl: Restriction.FloatRestrictValue,
  intScalingImpl: IntScaling.IntScaling,
  zeroPointImpl: ZeroPoint.ZeroZeroPoint
})
