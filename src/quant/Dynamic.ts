/**
 * Quantizers whose scales are computed anew from every input, per tensor, row or group; and weights in groups.
 *
 * A row is everything along the last axis. Nothing is learned and nothing remembered.
 *
 * Room: quant (level 3). Imports: `inject`, `core`, the other families. Every export is a catalogue entry.
 */
import { pipe } from "effect"
import * as Rounding from "../core/Rounding.ts"
import * as RuntimeScaling from "../core/RuntimeScaling.ts"
import * as RuntimeZeroPoint from "../core/RuntimeZeroPoint.ts"
import * as Statistic from "../core/Statistic.ts"
import * as View from "../core/View.ts"
import { make, merge, named, raw } from "../inject/Injector.ts"
import * as Float from "./Float.ts"
import * as FloatFnuz from "./FloatFnuz.ts"
import * as FloatOcp from "./FloatOcp.ts"
import * as Parts from "./Parts.ts"
import * as ScaledInt from "./ScaledInt.ts"
import * as ShiftedScaledInt from "./ShiftedScaledInt.ts"

// ---- parts --------------------------------------------------------------------------------------------------

const PerTensor = make("DynamicPerTensor", {
  scalingImpl: RuntimeScaling.RuntimeDynamicStatsScaling,
  scalingStatsOp: "minMax",
  scalingPerOutput: "tensor",
  scalingStatsInputViewShapeImpl: View.OverTensorView,
  zeroPointStatsInputViewShapeImpl: View.OverTensorView,
  dynamicScalingBroadcastableShape: raw(RuntimeScaling.perTensor)
})
const PerRow = make("DynamicPerRow", {
  scalingImpl: RuntimeScaling.RuntimeDynamicStatsScaling,
  scalingStatsOp: "minMax",
  scalingPerOutput: "channel",
  scalingStatsInputViewShapeImpl: View.OverOutputFeaturesView,
  zeroPointStatsInputViewShapeImpl: View.OverOutputFeaturesView,
  permuteDims: undefined,
  dynamicScalingBroadcastableShape: raw(RuntimeScaling.perRow)
})
const PerGroup = make("DynamicPerGroup", {
  scalingStatsOp: "minMax",
  scalingPerOutput: "group",
  groupSize: 32
})
const FixedPoint = make("DynamicFixedPoint", {
  restrictScalingType: "powerOfTwo",
  restrictValueFloatToIntImpl: Rounding.FloorSte
})
const ShiftedAtOnce = make("DynamicZeroPoint", {
  zeroPointImpl: RuntimeZeroPoint.RuntimeDynamicStatsZeroPoint,
  zeroPointStatsImpl: Statistic.NegativeMinOrZero
})
const ShiftedByGroup = make("DynamicGroupZeroPoint", {
  zeroPointImpl: RuntimeZeroPoint.RuntimeDynamicGroupZeroPoint,
  zeroPointStatsImpl: Statistic.NegativeMinOrZero
})

// ---- integers -----------------------------------------------------------------------------------------------

/** 8-bit signed activations, the scale of each input from the width of its range. */
export const Int8DynamicActPerTensorFloat = pipe(
  ScaledInt.Int8ActPerTensorFloat,
  merge(PerTensor),
  named("Int8DynamicActPerTensorFloat")
)

/** 8-bit signed activations, one scale for each row. */
export const Int8DynamicActPerRowFloat = pipe(
  ScaledInt.Int8ActPerTensorFloat,
  merge(PerRow),
  named("Int8DynamicActPerRowFloat")
)

/** 8-bit signed activations, one power-of-two scale for each row. */
export const Int8DynamicActPerRowFixedPoint = pipe(
  Int8DynamicActPerRowFloat,
  merge(FixedPoint),
  named("Int8DynamicActPerRowFixedPoint")
)

/** 8-bit signed activations, one scale for each group of 32 along the last axis. */
export const Int8DynamicActPerGroupFloat = pipe(
  ScaledInt.Int8ActPerTensorFloat,
  merge(PerGroup),
  named("Int8DynamicActPerGroupFloat")
)

/** 8-bit asymmetric activations, scale and zero-point of each input from its range. */
export const ShiftedUint8DynamicActPerTensorFloat = pipe(
  ShiftedScaledInt.ShiftedUint8ActPerTensorFloat,
  merge(PerTensor),
  merge(ShiftedAtOnce),
  named("ShiftedUint8DynamicActPerTensorFloat")
)

/** 8-bit asymmetric activations, one scale and zero-point for each row. */
export const ShiftedUint8DynamicActPerRowFloat = pipe(
  ShiftedScaledInt.ShiftedUint8ActPerTensorFloat,
  merge(PerRow),
  merge(ShiftedAtOnce),
  named("ShiftedUint8DynamicActPerRowFloat")
)

/** 8-bit asymmetric activations, one scale and zero-point for each group of 32 along the last axis. */
export const ShiftedUint8DynamicActPerGroupFloat = pipe(
  ShiftedScaledInt.ShiftedUint8ActPerTensorFloat,
  merge(PerGroup),
  merge(ShiftedByGroup),
  named("ShiftedUint8DynamicActPerGroupFloat")
)

/** 8-bit signed narrow-range weights, one scale for each group of 32 input channels. */
export const IntWeightSymmetricGroupQuant = pipe(
  ScaledInt.Int8WeightPerChannelFloat,
  merge(Parts.PerGroup32),
  named("IntWeightSymmetricGroupQuant")
)

// ---- minifloats ---------------------------------------------------------------------------------------------

/** 8-bit minifloat (e4m3) activations, one scale for each group of 32 along the last axis. */
export const Fp8e4m3DynamicActPerGroupFloat = pipe(
  Float.Fp8e4m3ActPerTensorFloat,
  merge(PerGroup),
  named("Fp8e4m3DynamicActPerGroupFloat")
)

/** 8-bit OCP minifloat (e4m3) activations, one scale for each group of 32 along the last axis. */
export const Fp8e4m3OCPDynamicActPerGroupFloat = pipe(
  FloatOcp.Fp8e4m3OCPActPerTensorFloat,
  merge(PerGroup),
  named("Fp8e4m3OCPDynamicActPerGroupFloat")
)

/** 8-bit OCP minifloat (e4m3) activations, one scale for each row. */
export const FP8e4m3OCPDynamicActPerRowFloat = pipe(
  FloatOcp.Fp8e4m3OCPActPerTensorFloat,
  merge(PerRow),
  named("FP8e4m3OCPDynamicActPerRowFloat")
)

/** 8-bit OCP minifloat (e4m3) activations, one power-of-two scale for each row. */
export const FP8e4m3OCPDynamicActPerRowFixedPoint = pipe(
  FP8e4m3OCPDynamicActPerRowFloat,
  merge(FixedPoint),
  named("FP8e4m3OCPDynamicActPerRowFixedPoint")
)

/** 8-bit FNUZ minifloat (e4m3) activations, the scale of each input from the width of its range. */
export const Fp8e4m3FNUZDynamicActPerTensorFloat = pipe(
  FloatFnuz.Fp8e4m3FNUZActPerTensorFloat,
  merge(PerTensor),
  named("Fp8e4m3FNUZDynamicActPerTensorFloat")
)

/** 8-bit FNUZ minifloat (e4m3) activations, one scale for each row. */
export const FP8e4m3FNUZDynamicActPerRowFloat = pipe(
  FloatFnuz.Fp8e4m3FNUZActPerTensorFloat,
  merge(PerRow),
  named("FP8e4m3FNUZDynamicActPerRowFloat")
)

/** 8-bit minifloat (e4m3) weights, one scale for each group of 32 input channels. */
export const Fp8e4m3WeightSymmetricGroupQuant = pipe(
  Float.Fp8e4m3WeightPerChannelFloat,
  merge(Parts.PerGroup32),
  named("Fp8e4m3WeightSymmetricGroupQuant")
)

/** 8-bit OCP minifloat (e4m3) weights, one scale for each group of 32 input channels. */
export const Fp8e4m3OCPWeightSymmetricGroupQuant = pipe(
  FloatOcp.Fp8e4m3OCPWeightPerChannelFloat,
  merge(Parts.PerGroup32),
  named("Fp8e4m3OCPWeightSymmetricGroupQuant")
)

/** 8-bit OCP minifloat (e4m3) weights, learned power-of-two scales per output channel that begin with the smallest squared error. */
export const Fp8e4m3OCPWeightPerChannelFixedPointMSE = pipe(
  FloatOcp.Fp8e4m3OCPWeightPerChannelFloat,
  merge(Parts.PerChannelPoTScaling8bit),
  merge(Parts.MSESymmetricScale),
  named("Fp8e4m3OCPWeightPerChannelFixedPointMSE")
)
