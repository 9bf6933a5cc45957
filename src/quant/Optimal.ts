/**
 * Weight quantizers that begin with the very best scale: no other one has a smaller squared error. Scale and zero-point are learned
 * from there.
 *
 * Room: quant (level 3). Imports: `inject`, `core`, the other families. Every export is a catalogue entry.
 */
import { pipe } from "effect"
import * as OptimalScale from "../core/OptimalScale.ts"
import * as ZeroPoint from "../core/ZeroPoint.ts"
import { make, merge, named } from "../inject/Injector.ts"
import * as Float from "./Float.ts"
import * as FloatOcp from "./FloatOcp.ts"
import * as FloatOcpNarrow from "./FloatOcpNarrow.ts"
import * as Parts from "./Parts.ts"
import * as ScaledInt from "./ScaledInt.ts"
import * as ShiftedScaledInt from "./ShiftedScaledInt.ts"

// ---- parts --------------------------------------------------------------------------------------------------

const Bits4 = make("Bits4", { bitWidth: 4 })
const Symmetric = make("OptimalSymmetricScale", {
  scalingImplType: "parameterFromStats",
  scalingStatsImpl: OptimalScale.OptimalScale
})
const Asymmetric = make("OptimalAsymmetricScale", {
  scalingImplType: "parameterFromStats",
  scalingStatsImpl: OptimalScale.OptimalAsymmetricScale,
  zeroPointImpl: ZeroPoint.ParameterFromStatsFromParameterZeroPoint,
  zeroPointStatsImpl: OptimalScale.OptimalZeroPoint
})
const Minifloat = make("OptimalMinifloatScale", {
  scalingImplType: "parameterFromStats",
  scalingStatsImpl: OptimalScale.OptimalScaleMinifloat
})

// ---- integers -----------------------------------------------------------------------------------------------

/** 8-bit signed narrow-range weights, one learned scale per tensor that begins as the best one. */
export const Int8WeightPerTensorFloatOptimal = pipe(
  ScaledInt.Int8WeightPerTensorFloat,
  merge(Symmetric),
  named("Int8WeightPerTensorFloatOptimal")
)

/** 8-bit signed narrow-range weights, learned scales per output channel that begin as the best ones. */
export const Int8WeightPerChannelFloatOptimal = pipe(
  ScaledInt.Int8WeightPerChannelFloat,
  merge(Symmetric),
  named("Int8WeightPerChannelFloatOptimal")
)

/** 4-bit signed narrow-range weights, learned scales per output channel that begin as the best ones. */
export const Int4WeightPerChannelFloatOptimal = pipe(
  Int8WeightPerChannelFloatOptimal,
  merge(Bits4),
  named("Int4WeightPerChannelFloatOptimal")
)

/** 4-bit signed narrow-range weights, learned scales for groups of 32 input channels that begin as the best ones. */
export const Int4WeightPerGroupFloatOptimal = pipe(
  Int4WeightPerChannelFloatOptimal,
  merge(Parts.PerGroup32),
  named("Int4WeightPerGroupFloatOptimal")
)

/** 8-bit asymmetric weights, learned scale and zero-point per tensor that begin as the best pair. */
export const ShiftedUint8WeightPerTensorFloatOptimal = pipe(
  ShiftedScaledInt.ShiftedUint8WeightPerTensorFloat,
  merge(Asymmetric),
  named("ShiftedUint8WeightPerTensorFloatOptimal")
)

/** 8-bit asymmetric weights, learned scales and zero-points per output channel that begin as the best pairs. */
export const ShiftedUint8WeightPerChannelFloatOptimal = pipe(
  ShiftedScaledInt.ShiftedUint8WeightPerChannelFloat,
  merge(Asymmetric),
  named("ShiftedUint8WeightPerChannelFloatOptimal")
)

/** 4-bit asymmetric weights, learned scales and zero-points for groups of 32 input channels that begin as the best pairs. */
export const ShiftedUint4WeightPerGroupFloatOptimal = pipe(
  ShiftedUint8WeightPerChannelFloatOptimal,
  merge(Parts.PerGroup32),
  merge(Bits4),
  named("ShiftedUint4WeightPerGroupFloatOptimal")
)

// ---- minifloats ---------------------------------------------------------------------------------------------

/** 8-bit minifloat (e4m3) weights, learned scales per output channel that begin as the best ones. */
export const Fp8e4m3WeightPerChannelFloatOptimal = pipe(
  Float.Fp8e4m3WeightPerChannelFloat,
  merge(Minifloat),
  named("Fp8e4m3WeightPerChannelFloatOptimal")
)

/** 8-bit OCP minifloat (e4m3) weights, learned scales per output channel that begin as the best ones. */
export const Fp8e4m3OCPWeightPerChannelFloatOptimal = pipe(
  FloatOcp.Fp8e4m3OCPWeightPerChannelFloat,
  merge(Minifloat),
  named("Fp8e4m3OCPWeightPerChannelFloatOptimal")
)

/** 4-bit OCP minifloat (e2m1) weights, learned scales per output channel that begin as the best ones. */
export const Fp4e2m1OCPWeightPerChannelFloatOptimal = pipe(
  FloatOcpNarrow.Fp4e2m1OCPWeightPerChannelFloat,
  merge(Minifloat),
  named("Fp4e2m1OCPWeightPerChannelFloatOptimal")
)
