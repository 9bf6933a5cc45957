/**
 * Minifloat quantizers of the Open Compute Project with six and four bits: no code is reserved.
 *
 * Room: quant (level 3). Imports: `inject`, `./FloatOcp.ts`, `./FloatParts.ts`. Every export is a catalogue entry.
 */
import { pipe } from "effect"
import { merge, named } from "../inject/Injector.ts"
import * as FloatOcp from "./FloatOcp.ts"
import * as FloatParts from "./FloatParts.ts"

// ---- e3m2 ---------------------------------------------------------------------------------------------------

/** 6-bit OCP minifloat (e3m2) weights, unscaled. */
export const Fp6e3m2OCPWeight = pipe(FloatOcp.FpOCPWeight, merge(FloatParts.Fp6e3m2), named("Fp6e3m2OCPWeight"))

/** 6-bit OCP minifloat (e3m2) activations, unscaled. */
export const Fp6e3m2OCPAct = pipe(FloatOcp.FpOCPAct, merge(FloatParts.Fp6e3m2), named("Fp6e3m2OCPAct"))

/** 6-bit OCP minifloat (e3m2) weights, one scale per tensor from the largest magnitude. */
export const Fp6e3m2OCPWeightPerTensorFloat = pipe(
  FloatOcp.FpOCPWeightPerTensorFloat,
  merge(FloatParts.Fp6e3m2),
  named("Fp6e3m2OCPWeightPerTensorFloat")
)

/** 6-bit OCP minifloat (e3m2) weights, one learned scale per tensor that begins with the smallest squared error. */
export const Fp6e3m2OCPWeightPerTensorFloatMSE = pipe(
  FloatOcp.FpOCPWeightPerTensorFloatMSE,
  merge(FloatParts.Fp6e3m2),
  named("Fp6e3m2OCPWeightPerTensorFloatMSE")
)

/** 6-bit OCP minifloat (e3m2) weights, one scale per output channel from its largest magnitude. */
export const Fp6e3m2OCPWeightPerChannelFloat = pipe(
  FloatOcp.FpOCPWeightPerChannelFloat,
  merge(FloatParts.Fp6e3m2),
  named("Fp6e3m2OCPWeightPerChannelFloat")
)

/** 6-bit OCP minifloat (e3m2) weights, learned scales per output channel that begin with the smallest squared error. */
export const Fp6e3m2OCPWeightPerChannelFloatMSE = pipe(
  FloatOcp.FpOCPWeightPerChannelFloatMSE,
  merge(FloatParts.Fp6e3m2),
  named("Fp6e3m2OCPWeightPerChannelFloatMSE")
)

/** 6-bit OCP minifloat (e3m2) activations, one learned scale per tensor that begins as the largest magnitude. */
export const Fp6e3m2OCPActPerTensorFloat = pipe(
  FloatOcp.FpOCPActPerTensorFloat,
  merge(FloatParts.Fp6e3m2),
  named("Fp6e3m2OCPActPerTensorFloat")
)

/** 6-bit OCP minifloat (e3m2) activations, one learned scale per tensor that begins with the smallest squared error. */
export const Fp6e3m2OCPActPerTensorFloatMSE = pipe(
  FloatOcp.FpOCPActPerTensorFloatMSE,
  merge(FloatParts.Fp6e3m2),
  named("Fp6e3m2OCPActPerTensorFloatMSE")
)

// ---- e2m3 ---------------------------------------------------------------------------------------------------

/** 6-bit OCP minifloat (e2m3) weights, unscaled. */
export const Fp6e2m3OCPWeight = pipe(FloatOcp.FpOCPWeight, merge(FloatParts.Fp6e2m3), named("Fp6e2m3OCPWeight"))

/** 6-bit OCP minifloat (e2m3) activations, unscaled. */
export const Fp6e2m3OCPAct = pipe(FloatOcp.FpOCPAct, merge(FloatParts.Fp6e2m3), named("Fp6e2m3OCPAct"))

/** 6-bit OCP minifloat (e2m3) weights, one scale per tensor from the largest magnitude. */
export const Fp6e2m3OCPWeightPerTensorFloat = pipe(
  FloatOcp.FpOCPWeightPerTensorFloat,
  merge(FloatParts.Fp6e2m3),
  named("Fp6e2m3OCPWeightPerTensorFloat")
)

/** 6-bit OCP minifloat (e2m3) weights, one learned scale per tensor that begins with the smallest squared error. */
export const Fp6e2m3OCPWeightPerTensorFloatMSE = pipe(
  FloatOcp.FpOCPWeightPerTensorFloatMSE,
  merge(FloatParts.Fp6e2m3),
  named("Fp6e2m3OCPWeightPerTensorFloatMSE")
)

/** 6-bit OCP minifloat (e2m3) weights, one scale per output channel from its largest magnitude. */
export const Fp6e2m3OCPWeightPerChannelFloat = pipe(
  FloatOcp.FpOCPWeightPerChannelFloat,
  merge(FloatParts.Fp6e2m3),
  named("Fp6e2m3OCPWeightPerChannelFloat")
)

/** 6-bit OCP minifloat (e2m3) weights, learned scales per output channel that begin with the smallest squared error. */
export const Fp6e2m3OCPWeightPerChannelFloatMSE = pipe(
  FloatOcp.FpOCPWeightPerChannelFloatMSE,
  merge(FloatParts.Fp6e2m3),
  named("Fp6e2m3OCPWeightPerChannelFloatMSE")
)

/** 6-bit OCP minifloat (e2m3) activations, one learned scale per tensor that begins as the largest magnitude. */
export const Fp6e2m3OCPActPerTensorFloat = pipe(
  FloatOcp.FpOCPActPerTensorFloat,
  merge(FloatParts.Fp6e2m3),
  named("Fp6e2m3OCPActPerTensorFloat")
)

/** 6-bit OCP minifloat (e2m3) activations, one learned scale per tensor that begins with the smallest squared error. */
export const Fp6e2m3OCPActPerTensorFloatMSE = pipe(
  FloatOcp.FpOCPActPerTensorFloatMSE,
  merge(FloatParts.Fp6e2m3),
  named("Fp6e2m3OCPActPerTensorFloatMSE")
)

// ---- e2m1 ---------------------------------------------------------------------------------------------------

/** 4-bit OCP minifloat (e2m1) weights, unscaled. */
export const Fp4e2m1OCPWeight = pipe(FloatOcp.FpOCPWeight, merge(FloatParts.Fp4e2m1), named("Fp4e2m1OCPWeight"))

/** 4-bit OCP minifloat (e2m1) activations, unscaled. */
export const Fp4e2m1OCPAct = pipe(FloatOcp.FpOCPAct, merge(FloatParts.Fp4e2m1), named("Fp4e2m1OCPAct"))

/** 4-bit OCP minifloat (e2m1) weights, one scale per tensor from the largest magnitude. */
export const Fp4e2m1OCPWeightPerTensorFloat = pipe(
  FloatOcp.FpOCPWeightPerTensorFloat,
  merge(FloatParts.Fp4e2m1),
  named("Fp4e2m1OCPWeightPerTensorFloat")
)

/** 4-bit OCP minifloat (e2m1) weights, one learned scale per tensor that begins with the smallest squared error. */
export const Fp4e2m1OCPWeightPerTensorFloatMSE = pipe(
  FloatOcp.FpOCPWeightPerTensorFloatMSE,
  merge(FloatParts.Fp4e2m1),
  named("Fp4e2m1OCPWeightPerTensorFloatMSE")
)

/** 4-bit OCP minifloat (e2m1) weights, one scale per output channel from its largest magnitude. */
export const Fp4e2m1OCPWeightPerChannelFloat = pipe(
  FloatOcp.FpOCPWeightPerChannelFloat,
  merge(FloatParts.Fp4e2m1),
  named("Fp4e2m1OCPWeightPerChannelFloat")
)

/** 4-bit OCP minifloat (e2m1) weights, learned scales per output channel that begin with the smallest squared error. */
export const Fp4e2m1OCPWeightPerChannelFloatMSE = pipe(
  FloatOcp.FpOCPWeightPerChannelFloatMSE,
  merge(FloatParts.Fp4e2m1),
  named("Fp4e2m1OCPWeightPerChannelFloatMSE")
)

/** 4-bit OCP minifloat (e2m1) activations, one learned scale per tensor that begins as the largest magnitude. */
export const Fp4e2m1OCPActPerTensorFloat = pipe(
  FloatOcp.FpOCPActPerTensorFloat,
  merge(FloatParts.Fp4e2m1),
  named("Fp4e2m1OCPActPerTensorFloat")
)

/** 4-bit OCP minifloat (e2m1) activations, one learned scale per tensor that begins with the smallest squared error. */
export const Fp4e2m1OCPActPerTensorFloatMSE = pipe(
  FloatOcp.FpOCPActPerTensorFloatMSE,
  merge(FloatParts.Fp4e2m1),
  named("Fp4e2m1OCPActPerTensorFloatMSE")
)
