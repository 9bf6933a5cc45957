/**
 * Microscaling (MX) quantizers: groups of 32 share a power-of-two scale.
 *
 * Weights form groups along their input channels, what runs through along its last axis. The largest magnitude of a group gives
 * the exponent, `2^floor(log2 max)`, divided by the largest power of two that the element format has.
 *
 * Source: OCP Microscaling Formats (MX) Specification 1.0.
 *
 * Room: quant (level 3). Imports: `inject`, `core`, `./Float.ts`, `./FloatOcp.ts`, `./Parts.ts`, `./Rules.ts`. Every export is a catalogue entry.
 */
import { pipe } from "effect"
import * as Restriction from "../core/Restriction.ts"
import * as Rounding from "../core/Rounding.ts"
import { make, merge, named } from "../inject/Injector.ts"
import * as FloatOcp from "./FloatOcp.ts"
import * as FloatParts from "./FloatParts.ts"
import * as Parts from "./Parts.ts"
import * as Rules from "./Rules.ts"

const shared = {
  groupSize: 32,
  scalingPerOutput: "group",
  restrictScalingType: "powerOfTwo",
  restrictValueFloatToIntImpl: Rounding.FloorSte,
  restrictThresholdImpl: Restriction.PowerOfTwoRestrictValue
} as const
const MXWeight = make("MXWeight", shared)
const MXAct = make("MXAct", shared)

// ---- integers -----------------------------------------------------------------------------------------------

/** 8-bit signed weights in groups of 32. */
export const MXInt8Weight = pipe(
  Rules.Weight,
  merge(Parts.IntQuant),
  merge(Parts.MaxStatsScaling),
  merge(MXWeight),
  merge(make({ bitWidth: 8 })),
  named("MXInt8Weight")
)

/** 8-bit signed weights in groups of 32, scales learned from those with the smallest squared error. */
export const MXInt8WeightMSE = pipe(MXInt8Weight, merge(Parts.MSESymmetricScale), named("MXInt8WeightMSE"))

/** 8-bit signed activations in groups of 32, scaled at each call. */
export const MXInt8Act = pipe(
  Rules.Activation,
  merge(Parts.IntQuant),
  merge(Parts.MaxStatsScaling),
  merge(MXAct),
  merge(make({ bitWidth: 8 })),
  named("MXInt8Act")
)

/** 8-bit asymmetric weights in groups of 32. */
export const ShiftedMXUInt8Weight = pipe(
  Rules.Weight,
  merge(Parts.ShiftedMinUintQuant),
  merge(Parts.MinMaxStatsScaling),
  merge(MXWeight),
  merge(make({ bitWidth: 8 })),
  named("ShiftedMXUInt8Weight")
)

/** 8-bit asymmetric weights in groups of 32, scales learned from those with the smallest squared error. */
export const ShiftedMXUInt8WeightMSE = pipe(
  ShiftedMXUInt8Weight,
  merge(Parts.MSEAsymmetricScale),
  named("ShiftedMXUInt8WeightMSE")
)

// ---- minifloats ---------------------------------------------------------------------------------------------

/** OCP minifloat weights in groups of 32, of widths to be given. */
export const MXFloatWeight = pipe(FloatOcp.FpOCPWeightPerTensorFloat, merge(MXWeight), named("MXFloatWeight"))

/** OCP minifloat weights in groups of 32, scales learned from those with the smallest squared error. */
export const MXFloatWeightMSE = pipe(MXFloatWeight, merge(Parts.MSESymmetricScale), named("MXFloatWeightMSE"))

/** OCP minifloat activations in groups of 32, of widths to be given, scaled at each call. */
export const MXFloatAct = pipe(FloatOcp.FpOCPActPerTensorFloat, merge(MXAct), named("MXFloatAct"))

/** 8-bit minifloat (e4m3) weights in groups of 32. */
export const MXFloat8e4m3Weight = pipe(MXFloatWeight, merge(FloatParts.Fp8e4m3), named("MXFloat8e4m3Weight"))

/** 8-bit minifloat (e4m3) weights in groups of 32, scales learned from those with the smallest squared error. */
export const MXFloat8e4m3WeightMSE = pipe(MXFloatWeightMSE, merge(FloatParts.Fp8e4m3), named("MXFloat8e4m3WeightMSE"))

/** 8-bit minifloat (e4m3) activations in groups of 32, scaled at each call. */
export const MXFloat8e4m3Act = pipe(MXFloatAct, merge(FloatParts.Fp8e4m3), named("MXFloat8e4m3Act"))

/** 8-bit minifloat (e5m2) weights in groups of 32. */
export const MXFloat8e5m2Weight = pipe(MXFloatWeight, merge(FloatParts.Fp8e5m2), named("MXFloat8e5m2Weight"))

/** 8-bit minifloat (e5m2) weights in groups of 32, scales learned from those with the smallest squared error. */
export const MXFloat8e5m2WeightMSE = pipe(MXFloatWeightMSE, merge(FloatParts.Fp8e5m2), named("MXFloat8e5m2WeightMSE"))

/** 8-bit minifloat (e5m2) activations in groups of 32, scaled at each call. */
export const MXFloat8e5m2Act = pipe(MXFloatAct, merge(FloatParts.Fp8e5m2), named("MXFloat8e5m2Act"))

/** 6-bit minifloat (e3m2) weights in groups of 32. */
export const MXFloat6e3m2Weight = pipe(MXFloatWeight, merge(FloatParts.Fp6e3m2), named("MXFloat6e3m2Weight"))

/** 6-bit minifloat (e3m2) weights in groups of 32, scales learned from those with the smallest squared error. */
export const MXFloat6e3m2WeightMSE = pipe(MXFloatWeightMSE, merge(FloatParts.Fp6e3m2), named("MXFloat6e3m2WeightMSE"))

/** 6-bit minifloat (e3m2) activations in groups of 32, scaled at each call. */
export const MXFloat6e3m2Act = pipe(MXFloatAct, merge(FloatParts.Fp6e3m2), named("MXFloat6e3m2Act"))

/** 6-bit minifloat (e2m3) weights in groups of 32. */
export const MXFloat6e2m3Weight = pipe(MXFloatWeight, merge(FloatParts.Fp6e2m3), named("MXFloat6e2m3Weight"))

/** 6-bit minifloat (e2m3) weights in groups of 32, scales learned from those with the smallest squared error. */
export const MXFloat6e2m3WeightMSE = pipe(MXFloatWeightMSE, merge(FloatParts.Fp6e2m3), named("MXFloat6e2m3WeightMSE"))

/** 6-bit minifloat (e2m3) activations in groups of 32, scaled at each call. */
export const MXFloat6e2m3Act = pipe(MXFloatAct, merge(FloatParts.Fp6e2m3), named("MXFloat6e2m3Act"))

/** 4-bit minifloat (e2m1) weights in groups of 32. */
export const MXFloat4e2m1Weight = pipe(MXFloatWeight, merge(FloatParts.Fp4e2m1), named("MXFloat4e2m1Weight"))

/** 4-bit minifloat (e2m1) weights in groups of 32, scales learned from those with the smallest squared error. */
export const MXFloat4e2m1WeightMSE = pipe(MXFloatWeightMSE, merge(FloatParts.Fp4e2m1), named("MXFloat4e2m1WeightMSE"))

/** 4-bit minifloat (e2m1) activations in groups of 32, scaled at each call. */
export const MXFloat4e2m1Act = pipe(MXFloatAct, merge(FloatParts.Fp4e2m1), named("MXFloat4e2m1Act"))
