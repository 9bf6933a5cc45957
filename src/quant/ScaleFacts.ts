/**
 * What a declaration says of the scale and the zero-point of its quantizer.
 *
 * Room: quant (level 3). Imports: `./Reading.ts`.
 */
import * as Reading from "./Reading.ts"

/** How many scales a quantizer has, from what, and which values they may take. */
export interface ScaleFacts {
  /** one scale for each: `tensor`, `channel`, `group`, `row` */
  readonly per: string
  readonly groupSize: number | undefined
  /** which values it may have: `float`, `power of two`, … */
  readonly restriction: string
  /** of powers of two: how the exponent is rounded */
  readonly exponent: string | undefined
  /** where it comes from */
  readonly origin: string
  /** the value, where it is a constant */
  readonly constant: number | undefined
  /** what is measured to find it, if anything is */
  readonly statistic: string | undefined
  /** how many batches it watches before it is learned */
  readonly steps: number | undefined
  /** where the scale that rounds comes from, if it is another one than the one that multiplies */
  readonly pre: string | undefined
}

/** What is added to the integers so that they begin where the tensor does. */
export interface ZeroPointFacts {
  readonly from: "zero" | "statistics" | "learned" | "outside"
  readonly statistic: string | undefined
  /** whether it is rounded to a whole number */
  readonly whole: boolean
}

// ---- scales -------------------------------------------------------------------------------------------------

const origins: Readonly<Record<string, string>> = {
  ConstScaling: "constant",
  ParameterScaling: "learned",
  StatsFromParameterScaling: "statistics of each call",
  ParameterFromStatsFromParameterScaling: "learned",
  RuntimeStatsScaling: "statistics, running mean in evaluation",
  ParameterFromRuntimeStatsScaling: "learned",
  RuntimeDynamicStatsScaling: "statistics of each call",
  RuntimeDynamicGroupStatsScaling: "statistics of each call",
  ParameterPreScalingWeightNorm: "learned norm of the channel",
  AccumulatorAwareParameterPreScaling: "learned norm of the channel, within the accumulator",
  AccumulatorAwareZeroCenterParameterPreScaling: "learned norm of the centred channel, within the accumulator",
  TruncMsbScaling: "the bits dropped",
  TruncScalingWrapper: "learned"
}

const restrictions: Readonly<Record<string, string>> = {
  FloatRestrictValue: "float",
  LogFloatRestrictValue: "log float",
  IntRestrictValue: "whole number",
  PowerOfTwoRestrictValue: "power of two",
  QuantRestrictValue: "quantized"
}

const exponents: Readonly<Record<string, string>> = { RoundSte: "nearest", CeilSte: "up", FloorSte: "down" }

/** A minifloat quantizer may do without a scale. */
const unscaled = ({ foreseen }: Reading.Reading): boolean => {
  const scaling = foreseen.scalingImpl
  return scaling?.kind === "constant" && scaling.value === undefined
}

/** What a learned scale begins as, where nothing is measured. */
const begins = ({ foreseen, number }: Reading.Reading): string => {
  const init = number("scalingInit")
  if (init !== undefined) return `, at first ${init}`
  return foreseen.minVal === undefined ? "" : ", at first from minVal and maxVal"
}

const granularity = ({ constant, builder, number }: Reading.Reading): string => {
  const label = builder("scalingImpl")
  const per = constant("scalingPerOutput")
  if (label === "RuntimeDynamicGroupStatsScaling") return "group"
  if (label === "RuntimeDynamicStatsScaling") return number("statsReduceDim") === undefined ? "tensor" : "row"
  return typeof per === "string" ? per : "tensor"
}

/** What a declaration says of the scale of what `quantizer` builds. */
export const scaleOf = (quantizer: string, read: Reading.Reading): ScaleFacts => {
  const { builder, constant, number } = read
  const origin = (label: string | undefined): string => origins[label ?? ""] ?? label ?? "unknown"
  const pre = builder("preScalingImpl")
  const truncation = builder("truncScalingImpl")
  // a prescaled quantizer has no scale of its own, unless something else of it looks at one
  const label = truncation ?? builder("scalingImpl")
  const outside = label === undefined && quantizer.startsWith("Prescaled")
  const none = label === undefined && unscaled(read)
  const restriction = builder("restrictScalingImpl")
  const power = restriction === "PowerOfTwoRestrictValue"
  const affine = constant("affineRescaling") === true ? ", rescaled" : ""
  return {
    per: outside ? "channel" : granularity(read),
    groupSize: number("groupSize"),
    restriction: truncation === "TruncMsbScaling" ? "power of two" : (restrictions[restriction ?? ""] ?? "float"),
    exponent: power ? (exponents[builder("restrictValueFloatToIntImpl") ?? "RoundSte"] ?? "nearest") : undefined,
    origin: outside
      ? "input times weight"
      : `${origin(none ? "ConstScaling" : label)}${affine}${label === "ParameterScaling" && builder("scalingStatsImpl") === undefined ? begins(read) : ""}`,
    constant: none ? 1 : label === "ConstScaling" ? number("scalingInit") : undefined,
    statistic: Reading.statistic(read, "scalingStatsImpl"),
    steps: number("collectStatsSteps"),
    pre: pre === undefined ? undefined : origin(pre)
  }
}

// ---- zero-points --------------------------------------------------------------------------------------------

const zeroPoints: Readonly<Record<string, ZeroPointFacts["from"]>> = {
  ZeroZeroPoint: "zero",
  ParameterZeroPoint: "learned",
  StatsFromParameterZeroPoint: "statistics",
  ParameterFromRuntimeZeroPoint: "learned",
  ParameterFromStatsFromParameterZeroPoint: "learned",
  RuntimeDynamicStatsZeroPoint: "statistics",
  RuntimeDynamicGroupZeroPoint: "statistics"
}

/** What a declaration says of the zero-point of what `quantizer` builds. */
export const zeroPointOf = (quantizer: string | undefined, read: Reading.Reading): ZeroPointFacts => {
  if (quantizer === "TruncIntQuant") return { from: "outside", statistic: undefined, whole: true }
  const from = zeroPoints[read.builder("zeroPointImpl") ?? "ZeroZeroPoint"] ?? "statistics"
  return {
    from,
    statistic: from === "zero" ? undefined : Reading.statistic(read, "zeroPointStatsImpl"),
    whole: read.constant("quantizeZeroPoint") !== false
  }
}
