/**
 * Rules: how high-level options determine the parts of a quantizer (Brevitas: solvers).
 *
 * A rule is an ordinary attribute, so anything that it decides can be overridden by name. Options are literals: a wrong one
 * does not compile.
 *
 * Room: quant (level 3). Imports: `inject`, `core`.
 */
import * as BinaryQuant from "../core/BinaryQuant.ts"
import * as BitWidth from "../core/BitWidth.ts"
import * as Clamp from "../core/Clamp.ts"
import * as IntQuant from "../core/IntQuant.ts"
import * as IntScaling from "../core/IntScaling.ts"
import * as Module from "../core/Module.ts"
import * as Restriction from "../core/Restriction.ts"
import * as Rounding from "../core/Rounding.ts"
import * as RuntimeScaling from "../core/RuntimeScaling.ts"
import * as Scaling from "../core/Scaling.ts"
import * as Statistic from "../core/Statistic.ts"
import * as StatsScaling from "../core/StatsScaling.ts"
import * as View from "../core/View.ts"
import * as ZeroPoint from "../core/ZeroPoint.ts"
import * as Injector from "../inject/Injector.ts"

const { choose, link, value } = Injector

export type BitWidthImplType = "const" | "parameter" | "statefulConst"
export type ScalingImplType = "const" | "parameter" | "parameterFromStats" | "stats" | "affineStats" | "he"
export type ScalingPerOutput = "tensor" | "channel" | "group"

// ---- all quantizers -----------------------------------------------------------------------------------------

const common = {
  tensorQuant: choose("quantType", {
    int: IntQuant.RescalingIntQuant,
    binary: BinaryQuant.BinaryQuant,
    fp: undefined
  }),
  intQuant: IntQuant.IntQuant,
  floatToIntImpl: choose("floatToIntImplType", {
    round: Rounding.RoundSte,
    floor: Rounding.FloorSte,
    ceil: Rounding.CeilSte
  }),
  bitWidthImpl: choose("bitWidthImplType", { const: BitWidth.BitWidthConst }),
  restrictScalingImpl: choose("restrictScalingType", {
    fp: Restriction.FloatRestrictValue,
    logFp: Restriction.LogFloatRestrictValue,
    int: Restriction.IntRestrictValue,
    powerOfTwo: Restriction.PowerOfTwoRestrictValue
  }),
  intScalingImpl: choose("restrictScalingType", {
    fp: IntScaling.IntScaling,
    logFp: IntScaling.IntScaling,
    int: IntScaling.IntScaling,
    powerOfTwo: IntScaling.PowerOfTwoIntScaling
  }),
  scalingStatsImpl: choose("scalingStatsOp", {
    max: Statistic.AbsMax,
    ave: Statistic.AbsAve,
    percentile: Statistic.AbsPercentile
  }),
  affineRescaling: value(["scalingImplType"], (type: ScalingImplType) => type === "affineStats"),
  keepdim: value(["scalingPerOutput"], (per: ScalingPerOutput) => per === "group"),
  zeroPointImpl: ZeroPoint.ZeroZeroPoint,
  bitWidthImplType: "const",
  quantType: "int",
  floatToIntImplType: "round"
} as const

// ---- weights ------------------------------------------------------------------------------------------------

/** The scale follows the weight, so that the clamp may pass gradients. */
const clampOf = (scaling: ScalingImplType, bits: BitWidthImplType) =>
  bits === "const" && (scaling === "stats" || scaling === "affineStats" || scaling === "const" || scaling === "he")
    ? Clamp.TensorClampSte
    : Clamp.TensorClamp

/** One scale for each output channel: `[1, ..., channels, ..., 1]`. */
const perChannel = (modules: Module.Modules): ReadonlyArray<number> => {
  const [{ weight, outputChannelAxis }] = Module.list(modules) as [Module.Module]
  return weight.shape.map((d, i) => (i === outputChannelAxis ? d : 1))
}

/** The axes with the output channels in front; absent if they are. */
const channelsFirst = (modules: Module.Modules): ReadonlyArray<number> | undefined => {
  const [{ weight, outputChannelAxis: axis }] = Module.list(modules) as [Module.Module]
  return axis === 0 ? undefined : [axis, ...weight.shape.flatMap((_, i) => (i === axis ? [] : [i]))]
}

const weight = {
  ...common,
  scalingImpl: choose("scalingImplType", {
    const: Scaling.ConstScaling,
    parameter: Scaling.ParameterScaling,
    parameterFromStats: StatsScaling.ParameterFromStatsFromParameterScaling,
    stats: StatsScaling.StatsFromParameterScaling,
    affineStats: StatsScaling.StatsFromParameterScaling,
    he: Scaling.ConstScaling
  }),
  scalingInit: link("scalingConst"),
  tensorClampImpl: value(["scalingImplType", "bitWidthImplType"], clampOf),
  perChannelScalingShape: value(["module"], perChannel),
  scalingShape: choose("scalingPerOutput", {
    tensor: [],
    channel: link("perChannelScalingShape"),
    group: link("perGroupScalingShape")
  }),
  scalingStatsInputViewShapeImpl: choose("scalingPerOutput", {
    tensor: View.OverTensorView,
    channel: View.OverOutputChannelView,
    group: View.OverSubChannelBlockView
  }),
  scalingStatsInputConcatDim: choose("scalingPerOutput", { tensor: 0, channel: 1, group: 0 }),
  permuteDims: value(["module"], channelsFirst),
  statsReduceDim: choose("scalingPerOutput", { tensor: undefined, channel: 1, group: link("groupReduceDim") }),
  inputViewImpl: choose("scalingPerOutput", {
    tensor: View.Identity,
    channel: View.Identity,
    group: View.OverSubChannelBlockView
  })
} as const
type WeightRecord = typeof weight
/** What the rules for weights determine. */
export interface WeightRules extends WeightRecord {}

/** The rules for the weights of a layer. */
export const Weight: Injector.Injector<WeightRules> = Injector.make("Weight", weight)

// ---- activations --------------------------------------------------------------------------------------------

const activation = {
  ...common,
  scalingImpl: choose("scalingImplType", {
    const: Scaling.ConstScaling,
    parameter: Scaling.ParameterScaling,
    parameterFromStats: RuntimeScaling.ParameterFromRuntimeStatsScaling,
    stats: RuntimeScaling.RuntimeStatsScaling,
    affineStats: RuntimeScaling.RuntimeStatsScaling
  }),
  scalingInit: link("scalingConst"),
  tensorClampImpl: Clamp.TensorClamp,
  scalingShape: choose("scalingPerOutput", {
    tensor: [],
    channel: link("perChannelBroadcastableShape"),
    group: undefined
  }),
  scalingStatsInputViewShapeImpl: choose("scalingPerOutput", {
    tensor: View.OverTensorView,
    channel: View.OverOutputChannelView,
    group: View.DynamicOverSubChannelBlockView
  }),
  statsReduceDim: choose("scalingPerOutput", { tensor: undefined, channel: 1, group: link("groupReduceDim") }),
  inputViewImpl: choose("scalingPerOutput", {
    tensor: View.Identity,
    channel: View.Identity,
    group: View.DynamicOverSubChannelBlockView
  })
} as const
type ActivationRecord = typeof activation
/** What the rules for activations determine. */
export interface ActivationRules extends ActivationRecord {}

/** The rules for what runs through a layer. */
export const Activation: Injector.Injector<ActivationRules> = Injector.make("Activation", activation)
