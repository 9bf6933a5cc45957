/**
 * Rules: how high-level options determine the parts of a quantizer (Brevitas: solvers).
 *
 * A rule is an ordinary attribute, so that anything it decides can be overridden by name. Options are literals: a wrong one
 * does not compile. Rules of a branch that is not taken ask for nothing.
 *
 * Room: quant (level 3). Imports: `inject`, `core`, `./WeightFacts.ts`.
 */
import * as BinaryQuant from "../core/BinaryQuant.ts"
import * as BitWidth from "../core/BitWidth.ts"
import * as Clamp from "../core/Clamp.ts"
import * as IntQuant from "../core/IntQuant.ts"
import * as IntScaling from "../core/IntScaling.ts"
import * as LearnedRound from "../core/LearnedRound.ts"
import * as PrescaledIntQuant from "../core/PrescaledIntQuant.ts"
import * as Restriction from "../core/Restriction.ts"
import * as Rounding from "../core/Rounding.ts"
import * as RuntimeScaling from "../core/RuntimeScaling.ts"
import * as Scaling from "../core/Scaling.ts"
import * as Statistic from "../core/Statistic.ts"
import * as StatsScaling from "../core/StatsScaling.ts"
import * as TernaryQuant from "../core/TernaryQuant.ts"
import * as TruncIntQuant from "../core/TruncIntQuant.ts"
import * as TruncScaling from "../core/TruncScaling.ts"
import * as View from "../core/View.ts"
import type * as Injector from "../inject/Injector.ts"
import { choose, link, make, value } from "../inject/Injector.ts"
import * as WeightFacts from "./WeightFacts.ts"

export type BitWidthImplType = "const" | "parameter" | "statefulConst"
export type ScalingImplType = "const" | "parameter" | "parameterFromStats" | "stats" | "affineStats" | "he"
export type ScalingPerOutput = "tensor" | "channel" | "group"

// ---- what all quantizers share ------------------------------------------------------------------------------

/** The axis that a statistic of a whole tensor reduces: only an average over channels needs one. */
const wholeReduceDim = choose("scalingStatsOp", {
  max: undefined,
  ave: undefined,
  maxAve: 1,
  meanSigmaStd: undefined,
  meanLearnSigmaStd: undefined,
  percentile: undefined,
  minMax: undefined,
  percentileInterval: undefined
})
const wholeView = choose("scalingStatsOp", {
  max: View.OverTensorView,
  ave: View.OverTensorView,
  maxAve: View.OverOutputChannelView,
  meanSigmaStd: View.OverTensorView,
  meanLearnSigmaStd: View.OverTensorView,
  percentile: View.OverTensorView,
  minMax: View.OverTensorView,
  percentileInterval: View.OverTensorView
})

const common = {
  intQuant: IntQuant.IntQuant,
  floatToIntImpl: choose("floatToIntImplType", {
    round: Rounding.RoundSte,
    ceil: Rounding.CeilSte,
    floor: Rounding.FloorSte,
    roundToZero: Rounding.RoundToZeroSte,
    dpu: Rounding.DPURoundSte,
    learnedRound: LearnedRound.LearnedRoundSte,
    stochasticRound: Rounding.StochasticRoundSte
  }),
  learnedRoundImpl: choose("learnedRoundImplType", {
    hardSigmoid: LearnedRound.LearnedRoundHardSigmoid,
    sigmoid: LearnedRound.LearnedRoundSigmoid,
    identity: LearnedRound.LearnedRoundIdentity
  }),
  bitWidthImpl: choose("bitWidthImplType", {
    const: BitWidth.BitWidthConst,
    parameter: BitWidth.BitWidthParameter,
    statefulConst: BitWidth.BitWidthStatefulConst
  }),
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
    maxAve: Statistic.AbsMaxAve,
    meanSigmaStd: Statistic.MeanSigmaStd,
    meanLearnSigmaStd: Statistic.MeanLearnedSigmaStd,
    percentile: Statistic.AbsPercentile,
    minMax: Statistic.AbsMinMax,
    percentileInterval: Statistic.PercentileInterval
  }),
  statsReduceDim: choose("scalingPerOutput", { tensor: wholeReduceDim, channel: 1, group: link("groupReduceDim") }),
  groupReduceDim: value(["groupDim"], (dim: number) => (dim < 0 ? dim : dim + 1)),
  keepdim: choose("scalingPerOutput", { tensor: false, channel: false, group: true })
} as const

// ---- what weights and biases share --------------------------------------------------------------------------

/** A scale that follows the weight lets the clamp pass gradients. */
const parameterClamp = (scaling: ScalingImplType, bits: BitWidthImplType) =>
  bits === "parameter" || scaling === "affineStats" || scaling === "parameterFromStats" || scaling === "parameter"
    ? Clamp.TensorClamp
    : Clamp.TensorClampSte

const parameterView = choose("scalingPerOutput", {
  tensor: wholeView,
  channel: View.OverOutputChannelView,
  group: View.OverSubChannelBlockView
})

const ofParameters = {
  ...common,
  scalingImpl: choose("scalingImplType", {
    const: Scaling.ConstScaling,
    parameter: Scaling.ParameterScaling,
    parameterFromStats: StatsScaling.ParameterFromStatsFromParameterScaling,
    stats: StatsScaling.StatsFromParameterScaling,
    affineStats: StatsScaling.StatsFromParameterScaling,
    he: Scaling.ConstScaling
  }),
  scalingInit: choose("scalingImplType", {
    const: link("scalingConst"),
    parameter: link("scalingConst"),
    parameterFromStats: undefined,
    stats: undefined,
    affineStats: undefined,
    he: Scaling.HeScalingInit
  }),
  tensorClampImpl: value(["scalingImplType", "bitWidthImplType"], parameterClamp),
  scalingStatsInputViewShapeImpl: parameterView,
  zeroPointStatsInputViewShapeImpl: parameterView,
  mseInputViewShapeImpl: parameterView,
  hqoInputViewShapeImpl: parameterView,
  scalingStatsInputConcatDim: choose("scalingPerOutput", { tensor: 0, channel: 1, group: 0 }),
  zeroPointStatsInputConcatDim: link("scalingStatsInputConcatDim"),
  zeroPointShape: link("scalingShape"),
  inputViewImpl: choose("scalingPerOutput", {
    tensor: View.Identity,
    channel: View.Identity,
    group: View.OverSubChannelBlockView
  })
} as const

// ---- weights ------------------------------------------------------------------------------------------------

const weight = {
  ...ofParameters,
  tensorQuant: choose("quantType", {
    int: IntQuant.RescalingIntQuant,
    binary: BinaryQuant.BinaryQuant,
    ternary: TernaryQuant.TernaryQuant,
    fp: undefined
  }),
  scalingShape: choose("scalingPerOutput", {
    tensor: [],
    channel: link("scalingPerOutputChannelShape"),
    group: link("scalingPerGroupShape")
  }),
  scalingPerOutputChannelShape: value(["module"], WeightFacts.channelShape),
  permuteDims: value(["module"], WeightFacts.channelsFirst),
  groupDim: value(["module"], WeightFacts.inputChannelAxis),
  expandedGroupwiseShape: value(["module", "groupDim", "groupSize"], WeightFacts.groupedShape),
  scalingPerGroupShape: value(["expandedGroupwiseShape", "groupReduceDim"], WeightFacts.reduced)
} as const
type WeightRecord = typeof weight
/** What the rules for weights determine. */
export interface WeightRules extends WeightRecord {}

/** The rules for the weights of a layer. */
export const Weight: Injector.Injector<WeightRules> = make("Weight", weight)

// ---- biases -------------------------------------------------------------------------------------------------

const bias = {
  ...ofParameters,
  tensorQuant: choose("quantType", {
    int: choose("requiresInputScale", {
      true: PrescaledIntQuant.PrescaledRestrictIntQuant,
      false: IntQuant.RescalingIntQuant
    }),
    fp: undefined
  }),
  scalingShape: choose("scalingPerOutput", { tensor: [], channel: link("scalingPerOutputChannelShape") }),
  scalingPerOutputChannelShape: value(["module"], WeightFacts.biasShape),
  scalingStatsInputConcatDim: 0
} as const
type BiasRecord = typeof bias
/** What the rules for biases determine. */
export interface BiasRules extends BiasRecord {}

/** The rules for the bias of a layer. */
export const Bias: Injector.Injector<BiasRules> = make("Bias", bias)

// ---- activations --------------------------------------------------------------------------------------------

const activationView = choose("scalingPerOutput", {
  tensor: wholeView,
  channel: View.OverOutputChannelView,
  group: View.DynamicOverSubChannelBlockView
})

const runningScaling = choose("scalingImplType", {
  const: Scaling.ConstScaling,
  parameter: Scaling.ParameterScaling,
  parameterFromStats: RuntimeScaling.ParameterFromRuntimeStatsScaling,
  stats: RuntimeScaling.RuntimeStatsScaling,
  affineStats: RuntimeScaling.RuntimeStatsScaling
})
/** Groups differ from batch to batch, so that their statistics are neither averaged nor learned: they are taken at each call. */
const groupScaling = choose("scalingImplType", {
  const: Scaling.ConstScaling,
  parameter: Scaling.ParameterScaling,
  parameterFromStats: RuntimeScaling.RuntimeDynamicGroupStatsScaling,
  stats: RuntimeScaling.RuntimeDynamicGroupStatsScaling,
  affineStats: RuntimeScaling.RuntimeDynamicGroupStatsScaling
})

const running = {
  ...common,
  scalingImpl: choose("scalingPerOutput", { tensor: runningScaling, channel: runningScaling, group: groupScaling }),
  scalingInit: value(["minVal", "maxVal"], WeightFacts.largestMagnitude),
  minVal: choose("signed", { true: undefined, false: 0 }),
  scalingShape: choose("scalingPerOutput", {
    tensor: [],
    channel: link("perChannelBroadcastableShape"),
    group: undefined
  }),
  permuteDims: choose("scalingPerOutput", {
    tensor: link("scalingStatsPermuteDims"),
    channel: value(["perChannelBroadcastableShape"], WeightFacts.channelsOf),
    group: undefined
  }),
  scalingStatsInputViewShapeImpl: activationView,
  zeroPointStatsInputViewShapeImpl: activationView,
  mseInputViewShapeImpl: activationView,
  hqoInputViewShapeImpl: activationView,
  zeroPointShape: link("scalingShape"),
  /** channels are the last axis, as everywhere in TensorFlow.js */
  groupDim: -1,
  inputViewImpl: choose("scalingPerOutput", {
    tensor: View.Identity,
    channel: View.Identity,
    group: View.DynamicOverSubChannelBlockView
  })
} as const

const activation = {
  ...running,
  tensorQuant: choose("quantType", {
    int: IntQuant.RescalingIntQuant,
    binary: BinaryQuant.ClampedBinaryQuant,
    ternary: TernaryQuant.TernaryQuant,
    fp: undefined
  }),
  tensorClampImpl: Clamp.TensorClamp
} as const
type ActivationRecord = typeof activation
/** What the rules for activations determine. */
export interface ActivationRules extends ActivationRecord {}

/** The rules for what runs through a layer. */
export const Activation: Injector.Injector<ActivationRules> = make("Activation", activation)

// ---- truncation ---------------------------------------------------------------------------------------------

const truncation = {
  ...running,
  tensorQuant: choose("quantType", { int: TruncIntQuant.TruncIntQuant, fp: undefined }),
  truncScalingImpl: choose("truncScalingImplType", {
    msb: TruncScaling.TruncMsbScaling,
    wrapper: TruncScaling.TruncScalingWrapper
  }),
  truncIntScalingImpl: choose("restrictScalingType", { powerOfTwo: IntScaling.PowerOfTwoIntScaling })
} as const
type TruncationRecord = typeof truncation
/** What the rules for truncation determine. */
export interface TruncationRules extends TruncationRecord {}

/** The rules for requantizing an accumulator to fewer bits. */
export const Truncation: Injector.Injector<TruncationRules> = make("Truncation", truncation)
