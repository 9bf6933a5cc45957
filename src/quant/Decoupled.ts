/**
 * Decoupled weight quantizers: rounded with one scale, de-quantized with another that is learned. Among them weight
 * normalization and the accumulator-aware quantizers (A2Q, A2Q+), whose integer sums provably fit their accumulator.
 *
 * Room: quant (level 3). Imports: `inject`, `core`, `./Rules.ts`. Every export is a catalogue entry.
 */
import { pipe } from "effect"
import * as BitWidth from "../core/BitWidth.ts"
import * as Brick from "../core/Brick.ts"
import * as Clamp from "../core/Clamp.ts"
import * as DecoupledIntQuant from "../core/DecoupledIntQuant.ts"
import * as IntScaling from "../core/IntScaling.ts"
import * as PreScaling from "../core/PreScaling.ts"
import * as Restriction from "../core/Restriction.ts"
import * as Rounding from "../core/Rounding.ts"
import * as Scaling from "../core/Scaling.ts"
import * as Statistic from "../core/Statistic.ts"
import * as StatsScaling from "../core/StatsScaling.ts"
import * as View from "../core/View.ts"
import * as ZeroPoint from "../core/ZeroPoint.ts"
import { link, make, merge, named, required } from "../inject/Injector.ts"
import * as Rules from "./Rules.ts"

const decoupled = {
  tensorQuant: DecoupledIntQuant.DecoupledRescalingIntQuant,
  decoupledIntQuant: DecoupledIntQuant.DecoupledIntQuant,
  floatToIntImplType: "round",
  zeroPointImpl: ZeroPoint.ZeroZeroPoint,
  preZeroPointImpl: ZeroPoint.ZeroZeroPoint,
  bitWidthImplType: "const",
  signed: true,
  narrowRange: true
} as const

const fromStats = {
  ...decoupled,
  tensorClampImpl: Clamp.TensorClampSte,
  preScalingImpl: StatsScaling.StatsFromParameterScaling,
  scalingImplType: "parameterFromStats",
  scalingStatsInputViewShapeImpl: View.OverOutputChannelView,
  statsReduceDim: 1,
  restrictScalingType: "fp",
  intScalingImpl: IntScaling.IntScaling
} as const

// ---- learned from statistics --------------------------------------------------------------------------------

/** 4-bit signed narrow-range weights, rounded with the l2 mean of the channels' largest magnitudes, de-quantized with a learned scale. */
export const Int4WeightPerTensorFloatDecoupled = pipe(
  Rules.Weight,
  merge(make("WeightPerTensorFloatDecoupledL2Param", fromStats)),
  merge(make({ scalingStatsImpl: Statistic.AbsMaxL2, scalingPerOutput: "tensor", bitWidth: 4 })),
  named("Int4WeightPerTensorFloatDecoupled")
)

/** As `Int4WeightPerTensorFloatDecoupled`, both scales powers of two. */
export const Int4WeightPerTensorFixedPointDecoupled = pipe(
  Int4WeightPerTensorFloatDecoupled,
  merge(
    make({
      restrictScalingType: "powerOfTwo",
      restrictValueFloatToIntImpl: Rounding.CeilSte,
      intScalingImpl: IntScaling.PowerOfTwoIntScaling
    })
  ),
  named("Int4WeightPerTensorFixedPointDecoupled")
)

/** 8-bit signed narrow-range weights, rounded with each channel's largest magnitude, de-quantized with a learned scale. */
export const Int8WeightPerChannelFloatDecoupled = pipe(
  Rules.Weight,
  merge(make("WeightPerChannelFloatDecoupled", fromStats)),
  merge(make({ scalingStatsImpl: Statistic.AbsMax, scalingPerOutput: "channel", bitWidth: 8 })),
  named("Int8WeightPerChannelFloatDecoupled")
)

// ---- weight normalization -----------------------------------------------------------------------------------

/** 8-bit signed narrow-range weights whose channels have a learned l2 norm in steps of a learned scale. */
export const Int8WeightNormL2PerChannelFixedPoint = pipe(
  Rules.Weight,
  merge(
    make("WeightNormPerChannelFloatDecoupled", {
      ...decoupled,
      tensorClampImpl: Clamp.TensorClamp,
      scalingImpl: Scaling.ParameterScaling,
      preScalingScalingImpl: Scaling.ParameterScaling,
      scalingImplType: "parameter",
      scalingInit: StatsScaling.scalingInitFromStats,
      scalingStatsImpl: Statistic.AbsMax,
      scalingPerOutput: "channel",
      restrictScalingType: "logFp",
      scalingMinVal: 1e-10,
      intScalingImpl: IntScaling.SingleArgStatelessBuffer,
      preScalingImpl: PreScaling.ParameterPreScalingWeightNorm,
      preScalingShape: link("scalingShape"),
      normalizeStatsImpl: Statistic.L2Norm,
      bitWidth: 8
    })
  ),
  named("Int8WeightNormL2PerChannelFixedPoint")
)

/** A bit-width of its own, which is saved with the parameters: `bitWidth` is that of the weights. */
const accumulatorBitWidthImpl = Brick.component(
  "BitWidthStatefulConst",
  { accumulatorBitWidth: required<number>() },
  ({ accumulatorBitWidth: bitWidth }) => BitWidth.BitWidthStatefulConst({ bitWidth })
)

/**
 * A2Q: 8-bit signed weights, rounded toward zero, whose l1 norm keeps every sum within `accumulatorBitWidth` bits (32). The layer's
 * input must be quantized. A channel that may become all zeros, which has no norm, needs a `preScalingMinVal`.
 */
export const Int8AccumulatorAwareWeightQuant = pipe(
  Int8WeightNormL2PerChannelFixedPoint,
  merge(
    make("AccumulatorAwareWeightQuant", {
      tensorQuant: DecoupledIntQuant.DecoupledRescalingIntQuantWithInput,
      preScalingImpl: PreScaling.AccumulatorAwareParameterPreScaling,
      restrictPreScalingImpl: Restriction.LogFloatRestrictValue,
      normalizeStatsImpl: Statistic.L1Norm,
      floatToIntImpl: Rounding.RoundToZeroSte,
      accumulatorBitWidth: 32,
      accumulatorBitWidthImpl
    })
  ),
  named("Int8AccumulatorAwareWeightQuant")
)

/** A2Q+: as `Int8AccumulatorAwareWeightQuant`, the channels centred at zero, which allows a larger norm. */
export const Int8AccumulatorAwareZeroCenterWeightQuant = pipe(
  Int8AccumulatorAwareWeightQuant,
  merge(
    make("AccumulatorAwareZeroCenterWeightQuant", {
      preScalingImpl: PreScaling.AccumulatorAwareZeroCenterParameterPreScaling,
      preZeroPointImpl: ZeroPoint.PreZeroCenterZeroPoint,
      preZeroPointStatsInputViewShapeImpl: View.OverOutputChannelView,
      preZeroPointShape: link("scalingShape")
    })
  ),
  named("Int8AccumulatorAwareZeroCenterWeightQuant")
)
