/**
 * Minifloat quantizers by widths alone: no code is reserved. The widths are given for the named ones, and asked for by the generic ones (`Fp...`).
 *
 * Room: quant (level 3). Imports: `inject`, `./FloatParts.ts`, `./Parts.ts`. Every export is a catalogue entry.
 */
import { pipe } from "effect"
import { merge, named } from "../inject/Injector.ts"
import * as FloatParts from "./FloatParts.ts"
import * as Parts from "./Parts.ts"

// ---- widths to be given -------------------------------------------------------------------------------------

/** Minifloat weights, unscaled. */
export const FpWeight = pipe(FloatParts.Weight, named("FpWeight"))

/** Minifloat activations, unscaled. */
export const FpAct = pipe(FloatParts.Act, named("FpAct"))

/** Minifloat weights, one scale per tensor from the largest magnitude. */
export const FpWeightPerTensorFloat = pipe(FloatParts.ScaledWeight, named("FpWeightPerTensorFloat"))

/** Minifloat weights, one learned scale per tensor that begins with the smallest squared error. */
export const FpWeightPerTensorFloatMSE = pipe(
  FloatParts.ScaledWeight,
  merge(Parts.MSESymmetricScale),
  named("FpWeightPerTensorFloatMSE")
)

/** Minifloat weights, one scale per output channel from its largest magnitude. */
export const FpWeightPerChannelFloat = pipe(
  FloatParts.ScaledWeight,
  merge(FloatParts.PerChannel),
  named("FpWeightPerChannelFloat")
)

/** Minifloat weights, learned scales per output channel that begin with the smallest squared error. */
export const FpWeightPerChannelFloatMSE = pipe(
  FloatParts.ScaledWeight,
  merge(FloatParts.PerChannel),
  merge(Parts.MSESymmetricScale),
  named("FpWeightPerChannelFloatMSE")
)

/** Minifloat activations, one learned scale per tensor that begins as the largest magnitude. */
export const FpActPerTensorFloat = pipe(FloatParts.ScaledAct, named("FpActPerTensorFloat"))

/** Minifloat activations, one learned scale per tensor that begins with the smallest squared error. */
export const FpActPerTensorFloatMSE = pipe(
  FloatParts.ScaledAct,
  merge(Parts.MSESymmetricScale),
  named("FpActPerTensorFloatMSE")
)

/** Minifloat images, learned scales per channel that begin as the largest magnitudes. */
export const FpActPerChannelFloat2d = pipe(
  FloatParts.ScaledAct,
  merge(FloatParts.PerChannel),
  named("FpActPerChannelFloat2d")
)

/** Minifloat images, learned scales per channel that begin with the smallest squared error. */
export const FpActPerChannelFloat2dMSE = pipe(
  FloatParts.ScaledAct,
  merge(FloatParts.PerChannel),
  merge(Parts.MSESymmetricScale),
  named("FpActPerChannelFloat2dMSE")
)

// ---- e4m3 ---------------------------------------------------------------------------------------------------

/** 8-bit minifloat (e4m3) weights, unscaled. */
export const Fp8e4m3Weight = pipe(FpWeight, merge(FloatParts.Fp8e4m3), named("Fp8e4m3Weight"))

/** 8-bit minifloat (e4m3) activations, unscaled. */
export const Fp8e4m3Act = pipe(FpAct, merge(FloatParts.Fp8e4m3), named("Fp8e4m3Act"))

/** 8-bit minifloat (e4m3) weights, one scale per tensor from the largest magnitude. */
export const Fp8e4m3WeightPerTensorFloat = pipe(
  FpWeightPerTensorFloat,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3WeightPerTensorFloat")
)

/** 8-bit minifloat (e4m3) weights, one learned scale per tensor that begins with the smallest squared error. */
export const Fp8e4m3WeightPerTensorFloatMSE = pipe(
  FpWeightPerTensorFloatMSE,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3WeightPerTensorFloatMSE")
)

/** 8-bit minifloat (e4m3) weights, one scale per output channel from its largest magnitude. */
export const Fp8e4m3WeightPerChannelFloat = pipe(
  FpWeightPerChannelFloat,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3WeightPerChannelFloat")
)

/** 8-bit minifloat (e4m3) weights, learned scales per output channel that begin with the smallest squared error. */
export const Fp8e4m3WeightPerChannelFloatMSE = pipe(
  FpWeightPerChannelFloatMSE,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3WeightPerChannelFloatMSE")
)

/** 8-bit minifloat (e4m3) activations, one learned scale per tensor that begins as the largest magnitude. */
export const Fp8e4m3ActPerTensorFloat = pipe(
  FpActPerTensorFloat,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3ActPerTensorFloat")
)

/** 8-bit minifloat (e4m3) activations, one learned scale per tensor that begins with the smallest squared error. */
export const Fp8e4m3ActPerTensorFloatMSE = pipe(
  FpActPerTensorFloatMSE,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3ActPerTensorFloatMSE")
)

/** 8-bit minifloat (e4m3) images, learned scales per channel that begin as the largest magnitudes. */
export const Fp8e4m3ActPerChannelFloat2d = pipe(
  FpActPerChannelFloat2d,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3ActPerChannelFloat2d")
)

/** 8-bit minifloat (e4m3) images, learned scales per channel that begin with the smallest squared error. */
export const Fp8e4m3ActPerChannelFloat2dMSE = pipe(
  FpActPerChannelFloat2dMSE,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3ActPerChannelFloat2dMSE")
)

// ---- e5m2 ---------------------------------------------------------------------------------------------------

/** 8-bit minifloat (e5m2) weights, unscaled. */
export const Fp8e5m2Weight = pipe(FpWeight, merge(FloatParts.Fp8e5m2), named("Fp8e5m2Weight"))

/** 8-bit minifloat (e5m2) activations, unscaled. */
export const Fp8e5m2Act = pipe(FpAct, merge(FloatParts.Fp8e5m2), named("Fp8e5m2Act"))

/** 8-bit minifloat (e5m2) weights, one scale per tensor from the largest magnitude. */
export const Fp8e5m2WeightPerTensorFloat = pipe(
  FpWeightPerTensorFloat,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2WeightPerTensorFloat")
)

/** 8-bit minifloat (e5m2) weights, one scale per output channel from its largest magnitude. */
export const Fp8e5m2WeightPerChannelFloat = pipe(
  FpWeightPerChannelFloat,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2WeightPerChannelFloat")
)

/** 8-bit minifloat (e5m2) activations, one learned scale per tensor that begins as the largest magnitude. */
export const Fp8e5m2ActPerTensorFloat = pipe(
  FpActPerTensorFloat,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2ActPerTensorFloat")
)

/** 8-bit minifloat (e5m2) activations, one learned scale per tensor that begins with the smallest squared error. */
export const Fp8e5m2ActPerTensorFloatMSE = pipe(
  FpActPerTensorFloatMSE,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2ActPerTensorFloatMSE")
)

/** 8-bit minifloat (e5m2) images, learned scales per channel that begin as the largest magnitudes. */
export const Fp8e5m2ActPerChannelFloat2d = pipe(
  FpActPerChannelFloat2d,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2ActPerChannelFloat2d")
)

/** 8-bit minifloat (e5m2) images, learned scales per channel that begin with the smallest squared error. */
export const Fp8e5m2ActPerChannelFloat2dMSE = pipe(
  FpActPerChannelFloat2dMSE,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2ActPerChannelFloat2dMSE")
)
