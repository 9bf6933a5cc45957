/**
 * Minifloat quantizers of the FNUZ kind: finite, no negative zero, nothing reserved.
 *
 * Room: quant (level 3). Imports: `inject`, `./Float.ts`, `./FloatParts.ts`. Every export is a catalogue entry.
 */
import { pipe } from "effect"
import { merge, named } from "../inject/Injector.ts"
import * as Float from "./Float.ts"
import * as FloatParts from "./FloatParts.ts"

// ---- widths to be given -------------------------------------------------------------------------------------

/** FNUZ minifloat weights, unscaled. */
export const FpFNUZWeight = pipe(Float.FpWeight, merge(FloatParts.Fnuz), named("FpFNUZWeight"))

/** FNUZ minifloat activations, unscaled. */
export const FpFNUZAct = pipe(Float.FpAct, merge(FloatParts.Fnuz), named("FpFNUZAct"))

/** FNUZ minifloat weights, one scale per tensor from the largest magnitude. */
export const FpFNUZWeightPerTensorFloat = pipe(
  Float.FpWeightPerTensorFloat,
  merge(FloatParts.Fnuz),
  named("FpFNUZWeightPerTensorFloat")
)

/** FNUZ minifloat weights, one learned scale per tensor that begins with the smallest squared error. */
export const FpFNUZWeightPerTensorFloatMSE = pipe(
  Float.FpWeightPerTensorFloatMSE,
  merge(FloatParts.Fnuz),
  named("FpFNUZWeightPerTensorFloatMSE")
)

/** FNUZ minifloat weights, one scale per output channel from its largest magnitude. */
export const FpFNUZWeightPerChannelFloat = pipe(
  Float.FpWeightPerChannelFloat,
  merge(FloatParts.Fnuz),
  named("FpFNUZWeightPerChannelFloat")
)

/** FNUZ minifloat weights, learned scales per output channel that begin with the smallest squared error. */
export const FpFNUZWeightPerChannelFloatMSE = pipe(
  Float.FpWeightPerChannelFloatMSE,
  merge(FloatParts.Fnuz),
  named("FpFNUZWeightPerChannelFloatMSE")
)

/** FNUZ minifloat activations, one learned scale per tensor that begins as the largest magnitude. */
export const FpFNUZActPerTensorFloat = pipe(
  Float.FpActPerTensorFloat,
  merge(FloatParts.Fnuz),
  named("FpFNUZActPerTensorFloat")
)

/** FNUZ minifloat activations, one learned scale per tensor that begins with the smallest squared error. */
export const FpFNUZActPerTensorFloatMSE = pipe(
  Float.FpActPerTensorFloatMSE,
  merge(FloatParts.Fnuz),
  named("FpFNUZActPerTensorFloatMSE")
)

/** FNUZ minifloat images, learned scales per channel that begin as the largest magnitudes. */
export const FpFNUZActPerChannelFloat2d = pipe(
  Float.FpActPerChannelFloat2d,
  merge(FloatParts.Fnuz),
  named("FpFNUZActPerChannelFloat2d")
)

/** FNUZ minifloat images, learned scales per channel that begin with the smallest squared error. */
export const FpFNUZActPerChannelFloat2dMSE = pipe(
  Float.FpActPerChannelFloat2dMSE,
  merge(FloatParts.Fnuz),
  named("FpFNUZActPerChannelFloat2dMSE")
)

// ---- e4m3 ---------------------------------------------------------------------------------------------------

/** 8-bit FNUZ minifloat (e4m3) weights, unscaled. */
export const Fp8e4m3FNUZWeight = pipe(FpFNUZWeight, merge(FloatParts.Fp8e4m3), named("Fp8e4m3FNUZWeight"))

/** 8-bit FNUZ minifloat (e4m3) activations, unscaled. */
export const Fp8e4m3FNUZAct = pipe(FpFNUZAct, merge(FloatParts.Fp8e4m3), named("Fp8e4m3FNUZAct"))

/** 8-bit FNUZ minifloat (e4m3) weights, one scale per tensor from the largest magnitude. */
export const Fp8e4m3FNUZWeightPerTensorFloat = pipe(
  FpFNUZWeightPerTensorFloat,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3FNUZWeightPerTensorFloat")
)

/** 8-bit FNUZ minifloat (e4m3) weights, one learned scale per tensor that begins with the smallest squared error. */
export const Fp8e4m3FNUZWeightPerTensorFloatMSE = pipe(
  FpFNUZWeightPerTensorFloatMSE,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3FNUZWeightPerTensorFloatMSE")
)

/** 8-bit FNUZ minifloat (e4m3) weights, one scale per output channel from its largest magnitude. */
export const Fp8e4m3FNUZWeightPerChannelFloat = pipe(
  FpFNUZWeightPerChannelFloat,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3FNUZWeightPerChannelFloat")
)

/** 8-bit FNUZ minifloat (e4m3) weights, learned scales per output channel that begin with the smallest squared error. */
export const Fp8e4m3FNUZWeightPerChannelFloatMSE = pipe(
  FpFNUZWeightPerChannelFloatMSE,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3FNUZWeightPerChannelFloatMSE")
)

/** 8-bit FNUZ minifloat (e4m3) activations, one learned scale per tensor that begins as the largest magnitude. */
export const Fp8e4m3FNUZActPerTensorFloat = pipe(
  FpFNUZActPerTensorFloat,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3FNUZActPerTensorFloat")
)

/** 8-bit FNUZ minifloat (e4m3) activations, one learned scale per tensor that begins with the smallest squared error. */
export const Fp8e4m3FNUZActPerTensorFloatMSE = pipe(
  FpFNUZActPerTensorFloatMSE,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3FNUZActPerTensorFloatMSE")
)

// ---- e5m2 ---------------------------------------------------------------------------------------------------

/** 8-bit FNUZ minifloat (e5m2) weights, unscaled. */
export const Fp8e5m2FNUZWeight = pipe(FpFNUZWeight, merge(FloatParts.Fp8e5m2), named("Fp8e5m2FNUZWeight"))

/** 8-bit FNUZ minifloat (e5m2) activations, unscaled. */
export const Fp8e5m2FNUZAct = pipe(FpFNUZAct, merge(FloatParts.Fp8e5m2), named("Fp8e5m2FNUZAct"))

/** 8-bit FNUZ minifloat (e5m2) weights, one scale per tensor from the largest magnitude. */
export const Fp8e5m2FNUZWeightPerTensorFloat = pipe(
  FpFNUZWeightPerTensorFloat,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2FNUZWeightPerTensorFloat")
)

/** 8-bit FNUZ minifloat (e5m2) weights, one learned scale per tensor that begins with the smallest squared error. */
export const Fp8e5m2FNUZWeightPerTensorFloatMSE = pipe(
  FpFNUZWeightPerTensorFloatMSE,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2FNUZWeightPerTensorFloatMSE")
)

/** 8-bit FNUZ minifloat (e5m2) weights, one scale per output channel from its largest magnitude. */
export const Fp8e5m2FNUZWeightPerChannelFloat = pipe(
  FpFNUZWeightPerChannelFloat,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2FNUZWeightPerChannelFloat")
)

/** 8-bit FNUZ minifloat (e5m2) weights, learned scales per output channel that begin with the smallest squared error. */
export const Fp8e5m2FNUZWeightPerChannelFloatMSE = pipe(
  FpFNUZWeightPerChannelFloatMSE,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2FNUZWeightPerChannelFloatMSE")
)

/** 8-bit FNUZ minifloat (e5m2) activations, one learned scale per tensor that begins as the largest magnitude. */
export const Fp8e5m2FNUZActPerTensorFloat = pipe(
  FpFNUZActPerTensorFloat,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2FNUZActPerTensorFloat")
)

/** 8-bit FNUZ minifloat (e5m2) activations, one learned scale per tensor that begins with the smallest squared error. */
export const Fp8e5m2FNUZActPerTensorFloatMSE = pipe(
  FpFNUZActPerTensorFloatMSE,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2FNUZActPerTensorFloatMSE")
)
