/**
 * Fragments that ready-made quantizers are merged from: a few options each.
 *
 * Room: quant (level 3). Imports: `inject`.
 */
import * as Injector from "../inject/Injector.ts"

// ---- ranges -------------------------------------------------------------------------------------------------

/** Signed integers of the full range. */
export const Int = Injector.make("Int", { signed: true, narrowRange: false })
/** Signed integers without the lowest one, symmetric around 0. */
export const NarrowInt = Injector.make("NarrowInt", { signed: true, narrowRange: true })
/** Unsigned integers. */
export const Uint = Injector.make("Uint", { signed: false, narrowRange: false })

// ---- widths, granularities and restrictions -----------------------------------------------------------------

/** Eight bits, one float scale per tensor. */
export const PerTensorFloatScaling8bit = Injector.make("PerTensorFloatScaling8bit", {
  bitWidth: 8,
  scalingPerOutput: "tensor",
  restrictScalingType: "fp"
})

// ---- where scales come from ---------------------------------------------------------------------------------

/** A scale from the largest magnitude of the weight, at each call. */
export const MaxStatsScaling = Injector.make("MaxStatsScaling", {
  scalingImplType: "stats",
  scalingStatsOp: "max",
  scalingMinVal: 1e-10
})

/** A learned scale that begins as a percentile of the activations of the first training steps. */
export const ParamFromRuntimePercentileScaling = Injector.make("ParamFromRuntimePercentileScaling", {
  scalingImplType: "parameterFromStats",
  scalingStatsOp: "percentile",
  highPercentileQ: 99.999,
  collectStatsSteps: 300,
  scalingMinVal: 1e-10
})
