/**
 * Minifloat quantizers of the Open Compute Project: of widths to be given, and FP8, which reserves codes.
 *
 * Room: quant (level 3). Imports: `inject`, `./Float.ts`, `./FloatParts.ts`. Every export is a catalogue entry.
 */
import { pipe } from "effect"
import { merge, named } from "../inject/Injector.ts"
import * as Float from "./Float.ts"
import * as FloatParts from "./FloatParts.ts"

// ---- widths to be given -------------------------------------------------------------------------------------

/** OCP minifloat weights, unscaled. */
export const FpOCPWeight = pipe(Float.FpWeight, merge(FloatParts.Ocp), named("FpOCPWeight"))

/** OCP minifloat activations, unscaled. */
export const FpOCPAct = pipe(Float.FpAct, merge(FloatParts.Ocp), named("FpOCPAct"))

/** OCP minifloat weights, one scale per tensor from the largest magnitude. */
export const FpOCPWeightPerTensorFloat = pipe(
  Float.FpWeightPerTensorFloat,
  merge(FloatParts.Ocp),
  named("FpOCPWeightPerTensorFloat")
)

/** OCP minifloat weights, one learned scale per tensor that begins with the smallest squared error. */
export const FpOCPWeightPerTensorFloatMSE = pipe(
  Float.FpWeightPerTensorFloatMSE,
  merge(FloatParts.Ocp),
  named("FpOCPWeightPerTensorFloatMSE")
)

/** OCP minifloat weights, one scale per output channel from its largest magnitude. */
export const FpOCPWeightPerChannelFloat = pipe(
  Float.FpWeightPerChannelFloat,
  merge(FloatParts.Ocp),
  named("FpOCPWeightPerChannelFloat")
)

/** OCP minifloat weights, learned scales per output channel that begin with the smallest squared error. */
export const FpOCPWeightPerChannelFloatMSE = pipe(
  Float.FpWeightPerChannelFloatMSE,
  merge(FloatParts.Ocp),
  named("FpOCPWeightPerChannelFloatMSE")
)

/** OCP minifloat activations, one learned scale per tensor that begins as the largest magnitude. */
export const FpOCPActPerTensorFloat = pipe(
  Float.FpActPerTensorFloat,
  merge(FloatParts.Ocp),
  named("FpOCPActPerTensorFloat")
)

/** OCP minifloat activations, one learned scale per tensor that begins with the smallest squared error. */
export const FpOCPActPerTensorFloatMSE = pipe(
  Float.FpActPerTensorFloatMSE,
  merge(FloatParts.Ocp),
  named("FpOCPActPerTensorFloatMSE")
)

/** OCP minifloat images, learned scales per channel that begin as the largest magnitudes. */
export const FpOCPActPerChannelFloat2d = pipe(
  Float.FpActPerChannelFloat2d,
  merge(FloatParts.Ocp),
  named("FpOCPActPerChannelFloat2d")
)

/** OCP minifloat images, learned scales per channel that begin with the smallest squared error. */
export const FpOCPActPerChannelFloat2dMSE = pipe(
  Float.FpActPerChannelFloat2dMSE,
  merge(FloatParts.Ocp),
  named("FpOCPActPerChannelFloat2dMSE")
)

// ---- e4m3 ---------------------------------------------------------------------------------------------------

/** 8-bit OCP minifloat (e4m3) weights, unscaled. */
export const Fp8e4m3OCPWeight = pipe(FpOCPWeight, merge(FloatParts.Fp8e4m3), named("Fp8e4m3OCPWeight"))

/** 8-bit OCP minifloat (e4m3) activations, unscaled. */
export const Fp8e4m3OCPAct = pipe(FpOCPAct, merge(FloatParts.Fp8e4m3), named("Fp8e4m3OCPAct"))

/** 8-bit OCP minifloat (e4m3) weights, one scale per tensor from the largest magnitude. */
export const Fp8e4m3OCPWeightPerTensorFloat = pipe(
  FpOCPWeightPerTensorFloat,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3OCPWeightPerTensorFloat")
)

/** 8-bit OCP minifloat (e4m3) weights, one learned scale per tensor that begins with the smallest squared error. */
export const Fp8e4m3OCPWeightPerTensorFloatMSE = pipe(
  FpOCPWeightPerTensorFloatMSE,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3OCPWeightPerTensorFloatMSE")
)

/** 8-bit OCP minifloat (e4m3) weights, one scale per output channel from its largest magnitude. */
export const Fp8e4m3OCPWeightPerChannelFloat = pipe(
  FpOCPWeightPerChannelFloat,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3OCPWeightPerChannelFloat")
)

/** 8-bit OCP minifloat (e4m3) weights, learned scales per output channel that begin with the smallest squared error. */
export const Fp8e4m3OCPWeightPerChannelFloatMSE = pipe(
  FpOCPWeightPerChannelFloatMSE,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3OCPWeightPerChannelFloatMSE")
)

/** 8-bit OCP minifloat (e4m3) activations, one learned scale per tensor that begins as the largest magnitude. */
export const Fp8e4m3OCPActPerTensorFloat = pipe(
  FpOCPActPerTensorFloat,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3OCPActPerTensorFloat")
)

/** 8-bit OCP minifloat (e4m3) activations, one learned scale per tensor that begins with the smallest squared error. */
export const Fp8e4m3OCPActPerTensorFloatMSE = pipe(
  FpOCPActPerTensorFloatMSE,
  merge(FloatParts.Fp8e4m3),
  named("Fp8e4m3OCPActPerTensorFloatMSE")
)

// ---- e5m2 ---------------------------------------------------------------------------------------------------

/** 8-bit OCP minifloat (e5m2) weights, unscaled. */
export const Fp8e5m2OCPWeight = pipe(FpOCPWeight, merge(FloatParts.Fp8e5m2), named("Fp8e5m2OCPWeight"))

/** 8-bit OCP minifloat (e5m2) activations, unscaled. */
export const Fp8e5m2OCPAct = pipe(FpOCPAct, merge(FloatParts.Fp8e5m2), named("Fp8e5m2OCPAct"))

/** 8-bit OCP minifloat (e5m2) weights, one scale per tensor from the largest magnitude. */
export const Fp8e5m2OCPWeightPerTensorFloat = pipe(
  FpOCPWeightPerTensorFloat,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2OCPWeightPerTensorFloat")
)

/** 8-bit OCP minifloat (e5m2) weights, one learned scale per tensor that begins with the smallest squared error. */
export const Fp8e5m2OCPWeightPerTensorFloatMSE = pipe(
  FpOCPWeightPerTensorFloatMSE,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2OCPWeightPerTensorFloatMSE")
)

/** 8-bit OCP minifloat (e5m2) weights, one scale per output channel from its largest magnitude. */
export const Fp8e5m2OCPWeightPerChannelFloat = pipe(
  FpOCPWeightPerChannelFloat,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2OCPWeightPerChannelFloat")
)

/** 8-bit OCP minifloat (e5m2) weights, learned scales per output channel that begin with the smallest squared error. */
export const Fp8e5m2OCPWeightPerChannelFloatMSE = pipe(
  FpOCPWeightPerChannelFloatMSE,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2OCPWeightPerChannelFloatMSE")
)

/** 8-bit OCP minifloat (e5m2) activations, one learned scale per tensor that begins as the largest magnitude. */
export const Fp8e5m2OCPActPerTensorFloat = pipe(
  FpOCPActPerTensorFloat,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2OCPActPerTensorFloat")
)

/** 8-bit OCP minifloat (e5m2) activations, one learned scale per tensor that begins with the smallest squared error. */
export const Fp8e5m2OCPActPerTensorFloatMSE = pipe(
  FpOCPActPerTensorFloatMSE,
  merge(FloatParts.Fp8e5m2),
  named("Fp8e5m2OCPActPerTensorFloatMSE")
)
