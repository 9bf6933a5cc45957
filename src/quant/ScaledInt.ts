/**
 * Integer quantizers with a float scale.
 *
 * Room: quant (level 3). Imports: `inject`, `./Parts.ts`, `./Rules.ts`. Every export is a catalogue entry.
 */
import { pipe } from "effect"
import { make, merge, named } from "../inject/Injector.ts"
import * as Parts from "./Parts.ts"
import * as Rules from "./Rules.ts"

// ---- weights ------------------------------------------------------------------------------------------------

/** 8-bit signed narrow-range weights, one scale per tensor from the largest magnitude. */
export const Int8WeightPerTensorFloat = pipe(
  Rules.Weight,
  merge(Parts.NarrowIntQuant),
  merge(Parts.MaxStatsScaling),
  merge(Parts.PerTensorFloatScaling8bit),
  named("Int8WeightPerTensorFloat")
)

/** 8-bit signed narrow-range weights, one scale per output channel from its largest magnitude. */
export const Int8WeightPerChannelFloat = pipe(
  Int8WeightPerTensorFloat,
  merge(Parts.PerChannelFloatScaling8bit),
  named("Int8WeightPerChannelFloat")
)

/** As `Int8WeightPerTensorFloat`, the scale learned from the one with the smallest squared error. */
export const Int8WeightPerTensorFloatMSE = pipe(
  Int8WeightPerTensorFloat,
  merge(Parts.MSESymmetricScale),
  named("Int8WeightPerTensorFloatMSE")
)

/** As `Int8WeightPerChannelFloat`, the scales learned from those with the smallest squared error. */
export const Int8WeightPerChannelFloatMSE = pipe(
  Int8WeightPerChannelFloat,
  merge(Parts.MSESymmetricScale),
  named("Int8WeightPerChannelFloatMSE")
)

/** As `Int8WeightPerTensorFloat`, the scale learned from half-quadratic optimization. */
export const Int8WeightPerTensorFloatHQO = pipe(
  Int8WeightPerTensorFloat,
  merge(Parts.HQOSymmetricScale),
  named("Int8WeightPerTensorFloatHQO")
)

/** As `Int8WeightPerChannelFloat`, the scales learned from half-quadratic optimization. */
export const Int8WeightPerChannelFloatHQO = pipe(
  Int8WeightPerChannelFloat,
  merge(Parts.HQOSymmetricScale),
  named("Int8WeightPerChannelFloatHQO")
)

// ---- activations --------------------------------------------------------------------------------------------

/** 8-bit signed activations, one learned scale per tensor that begins as the 99.999 percentile of the magnitudes. */
export const Int8ActPerTensorFloat = pipe(
  Rules.Activation,
  merge(Parts.IntQuant),
  merge(Parts.ParamFromRuntimePercentileScaling),
  merge(Parts.PerTensorFloatScaling8bit),
  named("Int8ActPerTensorFloat")
)

/** 8-bit unsigned activations, for what a ReLU answers; the scale as in `Int8ActPerTensorFloat`. */
export const Uint8ActPerTensorFloat = pipe(
  Int8ActPerTensorFloat,
  merge(Parts.UintQuant),
  named("Uint8ActPerTensorFloat")
)

/** 8-bit signed activations, one learned scale per tensor that begins with the smallest squared error. */
export const Int8ActPerTensorFloatMSE = pipe(
  Int8ActPerTensorFloat,
  merge(Parts.MSESymmetricScale),
  named("Int8ActPerTensorFloatMSE")
)

/** 8-bit unsigned activations, one learned scale per tensor that begins with the smallest squared error. */
export const Uint8ActPerTensorFloatMSE = pipe(
  Uint8ActPerTensorFloat,
  merge(Parts.MSESymmetricScale),
  named("Uint8ActPerTensorFloatMSE")
)

/** 8-bit signed activations, one learned scale per tensor that begins as given by `minVal` and `maxVal`. */
export const Int8ActPerTensorFloatMinMaxInit = pipe(
  Rules.Activation,
  merge(Parts.IntQuant),
  merge(Parts.ParamMinMaxInitScaling),
  merge(Parts.PerTensorFloatScaling8bit),
  named("Int8ActPerTensorFloatMinMaxInit")
)

/** 8-bit unsigned activations, one learned scale per tensor that begins as given by `maxVal`. */
export const Uint8ActPerTensorFloatMaxInit = pipe(
  Int8ActPerTensorFloatMinMaxInit,
  merge(Parts.UintQuant),
  named("Uint8ActPerTensorFloatMaxInit")
)

/** 8-bit signed sequences `[batch, features, channels]`, one scale per tensor from statistics over batches. */
export const Int8ActPerTensorFloatBatchQuant1d = pipe(
  Rules.Activation,
  merge(Parts.IntQuant),
  merge(Parts.BatchQuantStatsScaling1d),
  merge(Parts.PerTensorFloatScaling8bit),
  named("Int8ActPerTensorFloatBatchQuant1d")
)

/** 8-bit signed images `[batch, height, width, channels]`, one scale per tensor from statistics over batches. */
export const Int8ActPerTensorFloatBatchQuant2d = pipe(
  Int8ActPerTensorFloatBatchQuant1d,
  merge(Parts.BatchQuantStatsScaling2d),
  named("Int8ActPerTensorFloatBatchQuant2d")
)

/** 8-bit unsigned sequences `[batch, features, channels]`, one scale per tensor from statistics over batches. */
export const Uint8ActPerTensorFloatBatchQuant1d = pipe(
  Int8ActPerTensorFloatBatchQuant1d,
  merge(Parts.UintQuant),
  named("Uint8ActPerTensorFloatBatchQuant1d")
)

/** 8-bit unsigned images `[batch, height, width, channels]`, one scale per tensor from statistics over batches. */
export const Uint8ActPerTensorFloatBatchQuant2d = pipe(
  Int8ActPerTensorFloatBatchQuant2d,
  merge(Parts.UintQuant),
  named("Uint8ActPerTensorFloatBatchQuant2d")
)

// ---- biases -------------------------------------------------------------------------------------------------

/** Signed biases of a width to be given, on the scale of the accumulator: input scale times weight scale. */
export const IntBias = pipe(Rules.Bias, merge(Parts.IntQuant), merge(Parts.InputScaled), named("IntBias"))

/** 8-bit biases on the scale of the accumulator. */
export const Int8Bias = pipe(IntBias, merge(make({ bitWidth: 8 })), named("Int8Bias"))

/** 16-bit biases on the scale of the accumulator. */
export const Int16Bias = pipe(IntBias, merge(make({ bitWidth: 16 })), named("Int16Bias"))

/** 24-bit biases on the scale of the accumulator. */
export const Int24Bias = pipe(IntBias, merge(make({ bitWidth: 24 })), named("Int24Bias"))

/** 32-bit biases on the scale of the accumulator. */
export const Int32Bias = pipe(IntBias, merge(make({ bitWidth: 32 })), named("Int32Bias"))

/** 8-bit biases with a scale of their own, from the largest magnitude. */
export const Int8BiasPerTensorFloatInternalScaling = pipe(
  Rules.Bias,
  merge(Parts.IntQuant),
  merge(Parts.MaxStatsScaling),
  merge(Parts.PerTensorFloatScaling8bit),
  merge(Parts.OwnScaled),
  named("Int8BiasPerTensorFloatInternalScaling")
)

// ---- accumulators -------------------------------------------------------------------------------------------

/** The highest 8 bits of an integer, the rest cut off; the zero-point stays. */
export const TruncTo8bit = pipe(
  Rules.Truncation,
  merge(Parts.HighestBits8),
  merge(make({ floatToIntImplType: "floor" })),
  named("TruncTo8bit")
)

/** The highest 8 bits of an integer, rounded; the zero-point stays. */
export const RoundTo8bit = pipe(TruncTo8bit, merge(make({ floatToIntImplType: "round" })), named("RoundTo8bit"))

/** 8 bits of an integer: shifted by a learned amount that begins with statistics, rounded, saturated. */
export const ShiftRoundSaturateTo8bit = pipe(
  RoundTo8bit,
  merge(Parts.ParamFromRuntimePercentileScaling),
  merge(Parts.PerTensorPoTScaling8bit),
  merge(make({ truncScalingImplType: "wrapper" })),
  named("ShiftRoundSaturateTo8bit")
)
