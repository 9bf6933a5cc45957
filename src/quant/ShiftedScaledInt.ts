/**
 * Asymmetric integer quantizers: unsigned, with a zero-point.
 *
 * Room: quant (level 3). Imports: `inject`, `./Parts.ts`, `./Rules.ts`. Every export is a catalogue entry.
 */
import { pipe } from "effect"
import { merge, named } from "../inject/Injector.ts"
import * as Parts from "./Parts.ts"
import * as Rules from "./Rules.ts"

// ---- weights ------------------------------------------------------------------------------------------------

/** 8-bit asymmetric weights, one scale and zero-point per tensor from the range. */
export const ShiftedUint8WeightPerTensorFloat = pipe(
  Rules.Weight,
  merge(Parts.ShiftedMinUintQuant),
  merge(Parts.MinMaxStatsScaling),
  merge(Parts.PerTensorFloatScaling8bit),
  named("ShiftedUint8WeightPerTensorFloat")
)

/** 8-bit asymmetric weights, one scale and zero-point per output channel from its range. */
export const ShiftedUint8WeightPerChannelFloat = pipe(
  ShiftedUint8WeightPerTensorFloat,
  merge(Parts.PerChannelFloatScaling8bit),
  named("ShiftedUint8WeightPerChannelFloat")
)

/** As `ShiftedUint8WeightPerTensorFloat`, scale and zero-point learned from those with the smallest squared error. */
export const ShiftedUint8WeightPerTensorFloatMSE = pipe(
  ShiftedUint8WeightPerTensorFloat,
  merge(Parts.MSEAsymmetricScale),
  merge(Parts.MSEWeightZeroPoint),
  named("ShiftedUint8WeightPerTensorFloatMSE")
)

/** As `ShiftedUint8WeightPerChannelFloat`, scales and zero-points learned from those with the smallest squared error. */
export const ShiftedUint8WeightPerChannelFloatMSE = pipe(
  ShiftedUint8WeightPerChannelFloat,
  merge(Parts.MSEAsymmetricScale),
  merge(Parts.MSEWeightZeroPoint),
  named("ShiftedUint8WeightPerChannelFloatMSE")
)

/** As `ShiftedUint8WeightPerTensorFloat`, the zero-point learned from half-quadratic optimization, not rounded. */
export const ShiftedUint8WeightPerTensorFloatHQO = pipe(
  ShiftedUint8WeightPerTensorFloat,
  merge(Parts.HQOWeightZeroPoint),
  named("ShiftedUint8WeightPerTensorFloatHQO")
)

/** As `ShiftedUint8WeightPerChannelFloat`, the zero-points learned from half-quadratic optimization, not rounded. */
export const ShiftedUint8WeightPerChannelFloatHQO = pipe(
  ShiftedUint8WeightPerChannelFloat,
  merge(Parts.HQOWeightZeroPoint),
  named("ShiftedUint8WeightPerChannelFloatHQO")
)

/** As `ShiftedUint8WeightPerChannelFloatHQO`, for groups of 32 input channels. */
export const ShiftedUint8WeightPerGroupFloatHQO = pipe(
  ShiftedUint8WeightPerChannelFloatHQO,
  merge(Parts.PerGroup32),
  named("ShiftedUint8WeightPerGroupFloatHQO")
)

/** 8-bit asymmetric weights, one scale and zero-point for each group of 32 input channels. */
export const ShiftedUint8WeightGroupQuantFloat = pipe(
  ShiftedUint8WeightPerChannelFloat,
  merge(Parts.PerGroup32),
  named("ShiftedUint8WeightGroupQuantFloat")
)

// ---- activations --------------------------------------------------------------------------------------------

/** 8-bit asymmetric activations, learned scale and zero-point per tensor that begin as percentiles. */
export const ShiftedUint8ActPerTensorFloat = pipe(
  Rules.Activation,
  merge(Parts.ShiftedParamFromPercentileUintQuant),
  merge(Parts.ParamFromRuntimePercentileIntervalScaling),
  merge(Parts.PerTensorFloatScaling8bit),
  named("ShiftedUint8ActPerTensorFloat")
)

/** As `ShiftedUint8ActPerTensorFloat`, beginning with the smallest squared error. */
export const ShiftedUint8ActPerTensorFloatMSE = pipe(
  ShiftedUint8ActPerTensorFloat,
  merge(Parts.MSEAsymmetricScale),
  merge(Parts.MSEActZeroPoint),
  named("ShiftedUint8ActPerTensorFloatMSE")
)

/** As `ShiftedUint8ActPerTensorFloat`, the zero-point beginning with half-quadratic optimization, not rounded. */
export const ShiftedUint8ActPerTensorFloatHQO = pipe(
  ShiftedUint8ActPerTensorFloat,
  merge(Parts.HQOActZeroPoint),
  named("ShiftedUint8ActPerTensorFloatHQO")
)

/** As `ShiftedUint8ActPerTensorFloat`, the scale a power of two. */
export const ShiftedUint8ActPerTensorFixedPoint = pipe(
  ShiftedUint8ActPerTensorFloat,
  merge(Parts.PerTensorPoTScaling8bit),
  named("ShiftedUint8ActPerTensorFixedPoint")
)

/** As `ShiftedUint8ActPerTensorFixedPoint`, beginning with the smallest squared error. */
export const ShiftedUint8ActPerTensorFixedPointMSE = pipe(
  ShiftedUint8ActPerTensorFixedPoint,
  merge(Parts.MSEAsymmetricScale),
  merge(Parts.MSEActZeroPoint),
  named("ShiftedUint8ActPerTensorFixedPointMSE")
)
