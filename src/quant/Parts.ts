/**
 * Fragments that ready-made quantizers are merged from: a few options each, named as in Brevitas's quant/base.py.
 *
 * Room: quant (level 3). Imports: `inject`, `core`. Fragments of minifloats are in `FloatParts.ts`.
 */
import * as Clamp from "../core/Clamp.ts"
import * as HalfQuadratic from "../core/HalfQuadratic.ts"
import * as MeanSquaredError from "../core/MeanSquaredError.ts"
import * as Rounding from "../core/Rounding.ts"
import * as RuntimeZeroPoint from "../core/RuntimeZeroPoint.ts"
import * as Statistic from "../core/Statistic.ts"
import * as View from "../core/View.ts"
import * as ZeroPoint from "../core/ZeroPoint.ts"
import { make } from "../inject/Injector.ts"

// ---- integers -----------------------------------------------------------------------------------------------

const integer = { quantType: "int", bitWidthImplType: "const", floatToIntImplType: "round" } as const

/** Signed integers of the full range. */
export const IntQuant = make("IntQuant", {
  ...integer,
  signed: true,
  narrowRange: false,
  zeroPointImpl: ZeroPoint.ZeroZeroPoint
})
/** Signed integers without the lowest one, symmetric around 0. */
export const NarrowIntQuant = make("NarrowIntQuant", {
  ...integer,
  signed: true,
  narrowRange: true,
  zeroPointImpl: ZeroPoint.ZeroZeroPoint
})
/** Unsigned integers. */
export const UintQuant = make("UintQuant", {
  ...integer,
  signed: false,
  narrowRange: false,
  zeroPointImpl: ZeroPoint.ZeroZeroPoint
})
/** Unsigned integers whose zero-point follows the smallest weight. */
export const ShiftedMinUintQuant = make("ShiftedMinUintQuant", {
  ...integer,
  signed: false,
  narrowRange: false,
  quantizeZeroPoint: true,
  zeroPointImpl: ZeroPoint.StatsFromParameterZeroPoint,
  zeroPointStatsImpl: Statistic.NegativeMinOrZero
})
/** Unsigned integers whose zero-point is learned, beginning as a low percentile of what runs through. */
export const ShiftedParamFromPercentileUintQuant = make("ShiftedParamFromPercentileUintQuant", {
  ...integer,
  signed: false,
  narrowRange: false,
  quantizeZeroPoint: true,
  zeroPointImpl: RuntimeZeroPoint.ParameterFromRuntimeZeroPoint,
  zeroPointStatsImpl: Statistic.NegativePercentileOrZero,
  lowPercentileQ: 0.001
})

// ---- widths, granularities, restrictions --------------------------------------------------------------------

/** Eight bits, one float scale per tensor. */
export const PerTensorFloatScaling8bit = make("PerTensorFloatScaling8bit", {
  scalingPerOutput: "tensor",
  restrictScalingType: "fp",
  bitWidth: 8
})
/** Eight bits, one float scale per channel. */
export const PerChannelFloatScaling8bit = make("PerChannelFloatScaling8bit", {
  scalingPerOutput: "channel",
  restrictScalingType: "fp",
  bitWidth: 8
})
/** Eight bits, one scale per tensor, a power of two that is rounded up. */
export const PerTensorPoTScaling8bit = make("PerTensorPoTScaling8bit", {
  scalingPerOutput: "tensor",
  restrictScalingType: "powerOfTwo",
  restrictValueFloatToIntImpl: Rounding.CeilSte,
  bitWidth: 8
})
/** Eight bits, one scale per channel, a power of two that is rounded up. */
export const PerChannelPoTScaling8bit = make("PerChannelPoTScaling8bit", {
  scalingPerOutput: "channel",
  restrictScalingType: "powerOfTwo",
  restrictValueFloatToIntImpl: Rounding.CeilSte,
  bitWidth: 8
})
/** Two bits, a fixed float scale per tensor. */
export const PerTensorConstScaling2bit = make("PerTensorConstScaling2bit", {
  scalingImplType: "const",
  scalingPerOutput: "tensor",
  restrictScalingType: "fp",
  bitWidth: 2
})
/** One scale for each group of 32 along the input channels. */
export const PerGroup32 = make("PerGroup32", { scalingPerOutput: "group", groupSize: 32 })

// ---- where scales come from ---------------------------------------------------------------------------------

/** The largest magnitude, at each call. */
export const MaxStatsScaling = make("MaxStatsScaling", {
  scalingImplType: "stats",
  scalingStatsOp: "max",
  scalingMinVal: 1e-10
})
/** The width of the range, at each call. */
export const MinMaxStatsScaling = make("MinMaxStatsScaling", {
  scalingImplType: "stats",
  scalingStatsOp: "minMax",
  scalingMinVal: 1e-10
})
/** Learned, beginning as a percentile of the magnitudes of the first training steps. */
export const ParamFromRuntimePercentileScaling = make("ParamFromRuntimePercentileScaling", {
  scalingImplType: "parameterFromStats",
  scalingStatsOp: "percentile",
  highPercentileQ: 99.999,
  collectStatsSteps: 300,
  scalingMinVal: 1e-10
})
/** Learned, beginning as the distance of two percentiles of the first training steps. */
export const ParamFromRuntimePercentileIntervalScaling = make("ParamFromRuntimePercentileIntervalScaling", {
  scalingImplType: "parameterFromStats",
  scalingStatsOp: "percentileInterval",
  highPercentileQ: 99.999,
  lowPercentileQ: 0.001,
  collectStatsSteps: 300,
  scalingMinVal: 1e-10
})
/** Learned, beginning as the width of the range of the first training steps. */
export const ParamFromRuntimeMinMaxScaling = make("ParamFromRuntimeMinMaxScaling", {
  scalingImplType: "parameterFromStats",
  scalingStatsOp: "minMax",
  collectStatsSteps: 300,
  scalingMinVal: 1e-10
})
/** Learned, beginning as what `minVal` and `maxVal` say. */
export const ParamMinMaxInitScaling = make("ParamMinMaxInitScaling", { scalingImplType: "parameter" })

const batch = {
  scalingImplType: "affineStats",
  scalingStatsOp: "maxAve",
  scalingStatsMomentum: null,
  scalingMinVal: 1e-10
} as const
/**
 * The mean over channels of their largest magnitude, averaged over batches: `[batch, features, channels]`. It is multiplied by a
 * learned number if `scalingAffineRescalingInit` says where that begins.
 */
export const BatchQuantStatsScaling1d = make("BatchQuantStatsScaling1d", {
  ...batch,
  scalingStatsPermuteDims: [2, 0, 1]
})
/** The same for images: `[batch, height, width, channels]`. */
export const BatchQuantStatsScaling2d = make("BatchQuantStatsScaling2d", {
  ...batch,
  scalingStatsPermuteDims: [3, 0, 1, 2]
})

// ---- scales and zero-points that are searched for -----------------------------------------------------------

/** Learned, beginning as the multiple of the largest magnitude with the smallest squared error. */
export const MSESymmetricScale = make("MSESymmetricScale", {
  scalingImplType: "parameterFromStats",
  scalingStatsImpl: MeanSquaredError.MSEScale,
  mseScaleInitOp: Statistic.AbsMax,
  mseSearchMethod: "grid",
  scalingStatsInputViewShapeImpl: View.Identity
})
/** Learned, beginning as the multiple of the width of the range with the smallest squared error. */
export const MSEAsymmetricScale = make("MSEAsymmetricScale", {
  scalingImplType: "parameterFromStats",
  scalingStatsImpl: MeanSquaredError.MSEScale,
  mseScaleInitOp: Statistic.AbsMinMax,
  mseSearchMethod: "grid",
  scalingStatsInputViewShapeImpl: View.Identity
})

const mseZeroPoint = {
  zeroPointStatsImpl: MeanSquaredError.MSEZeroPoint,
  mseZeroPointInitOp: Statistic.NegativeMinOrZero,
  zeroPointStatsInputViewShapeImpl: View.Identity
} as const
/** A learned zero-point of weights, beginning as the one with the smallest squared error. */
export const MSEWeightZeroPoint = make("MSEWeightZeroPoint", {
  ...mseZeroPoint,
  zeroPointImpl: ZeroPoint.ParameterFromStatsFromParameterZeroPoint
})
/** The same for what runs through. */
export const MSEActZeroPoint = make("MSEActZeroPoint", {
  ...mseZeroPoint,
  zeroPointImpl: RuntimeZeroPoint.ParameterFromRuntimeZeroPoint
})

/** Learned, beginning as what half-quadratic optimization makes of the largest magnitude. */
export const HQOSymmetricScale = make("HQOSymmetricScale", {
  scalingImplType: "parameterFromStats",
  scalingStatsImpl: HalfQuadratic.HalfQuadraticOptimizerScale,
  hqoInitOpScale: Statistic.AbsMax
})
/** The same, from the width of the range. */
export const HQOAsymmetricScale = make("HQOAsymmetricScale", {
  scalingImplType: "parameterFromStats",
  scalingStatsImpl: HalfQuadratic.HalfQuadraticOptimizerScale,
  hqoInitOpScale: Statistic.AbsMinMax
})

const hqoZeroPoint = {
  zeroPointStatsImpl: HalfQuadratic.HalfQuadraticOptimizerZeroPoint,
  hqoInitOpZp: Statistic.NegativeMinOrZero,
  quantizeZeroPoint: false
} as const
/** A learned zero-point of weights, not rounded, beginning as half-quadratic optimization finds it. */
export const HQOWeightZeroPoint = make("HQOWeightZeroPoint", {
  ...hqoZeroPoint,
  zeroPointImpl: ZeroPoint.ParameterFromStatsFromParameterZeroPoint
})
/** The same for what runs through. */
export const HQOActZeroPoint = make("HQOActZeroPoint", {
  ...hqoZeroPoint,
  zeroPointImpl: RuntimeZeroPoint.ParameterFromRuntimeZeroPoint
})

// ---- biases and accumulators --------------------------------------------------------------------------------

/** A signed bias whose scale is that of the accumulator it is added to: input scale times weight scale. */
export const InputScaled = make("InputScaled", {
  requiresInputScale: true,
  scalingPerOutput: "tensor",
  tensorClampImpl: Clamp.TensorClamp
})
/** A bias with a scale of its own. */
export const OwnScaled = make("OwnScaled", { requiresInputScale: false })

/** The highest eight bits of an integer. */
export const HighestBits8 = make("HighestBits8", {
  quantType: "int",
  bitWidth: 8,
  bitWidthImplType: "const",
  narrowRange: false,
  scalingPerOutput: "tensor",
  truncScalingImplType: "msb"
})
