/**
 * Scales from the configurations of the vectors. Learned values that a case gives are put over `brick.parameters` by its replay.
 */
import type * as tf from "@tensorflow/tfjs-core"
import { BitWidthConst } from "../../../../src/core/BitWidth.ts"
import { TensorClamp } from "../../../../src/core/Clamp.ts"
import * as IntScaling from "../../../../src/core/IntScaling.ts"
import type { Module } from "../../../../src/core/Module.ts"
import * as PreScaling from "../../../../src/core/PreScaling.ts"
import * as Restriction from "../../../../src/core/Restriction.ts"
import * as RuntimeScaling from "../../../../src/core/RuntimeScaling.ts"
import * as Scaling from "../../../../src/core/Scaling.ts"
import * as StatsScaling from "../../../../src/core/StatsScaling.ts"
import * as TruncScaling from "../../../../src/core/TruncScaling.ts"
import * as ZeroPoint from "../../../../src/core/ZeroPoint.ts"
import type { Tensors } from "../Core.ts"
import { roundingOf } from "./Rounding.ts"
import { statisticOf, viewOf } from "./Statistic.ts"

const given = <A>(u: A | null | undefined): A | undefined => u ?? undefined

// ---- restrictions -------------------------------------------------------------------------------------------

const restrictions: Readonly<Record<string, (rounding: string | null | undefined) => Restriction.Restriction>> = {
  FP: () => Restriction.FloatRestrictValue({}),
  LOG_FP: () => Restriction.LogFloatRestrictValue({}),
  INT: (rounding) => Restriction.IntRestrictValue(roundedBy(rounding)),
  POWER_OF_TWO: (rounding) => Restriction.PowerOfTwoRestrictValue(roundedBy(rounding))
}
const roundedBy = (name: string | null | undefined) =>
  name === null || name === undefined ? {} : { restrictValueFloatToIntImpl: roundingOf(name) }

const restrictionNamed = (name: string, rounding: string | null | undefined): Restriction.Restriction => {
  const make = restrictions[name]
  if (make === undefined) throw new Error(`unknown restriction "${name}"`)
  return make(rounding)
}

/** The restriction of the scale. */
export const restrictionOf = (config: any): Restriction.Restriction =>
  restrictionNamed(config.restrict_scaling ?? "FP", config.restrict_float_to_int)

const restricted = (config: any) => ({
  restrictScalingImpl: restrictionOf(config),
  restrictThresholdImpl:
    config.restrict_threshold === undefined || config.restrict_threshold === null
      ? undefined
      : restrictionNamed(config.restrict_threshold, config.restrict_threshold_float_to_int),
  scalingMinVal: given<number>(config.scaling_min_val),
  isScaleUnsigned: config.is_scale_unsigned ?? true
})

// ---- scales -------------------------------------------------------------------------------------------------

const shapeOf = (config: any): ReadonlyArray<number> | undefined => given(config.output_shape ?? config.scaling_shape)

/** The initial value: a number, an input by its name, or 1 where the case gives the learned value itself. */
const initOf = (config: any, inputs: Tensors): number | tf.Tensor => {
  const init = config.scaling_init ?? config.initial_value ?? 1
  return typeof init === "string" ? (inputs[init.replace("inputs.", "")] ?? 1) : init
}

const affine = (config: any) => ({
  scalingAffineRescalingInit: given<number>(config.affine_rescaling_init) ?? (config.affine_rescaling ? 1 : undefined),
  scalingAffineShiftingInit: given<number>(config.affine_shifting_init) ?? (config.affine_shifting ? 0 : undefined)
})

const stats = (config: any) => ({
  scalingStatsImpl: statisticOf(config),
  scalingStatsInputViewShapeImpl: viewOf(config),
  scalingShape: shapeOf(config)
})

const momentum = (config: any) => ({
  scalingStatsMomentum: config.momentum === undefined ? 0.1 : (config.momentum as number | null)
})

const scalings: Readonly<Record<string, (config: any, inputs: Tensors) => Scaling.Scaling>> = {
  ConstScaling: (config, inputs) =>
    Scaling.ConstScaling({ scalingInit: initOf(config, inputs), ...restricted(config) }),
  ParameterScaling: (config, inputs) =>
    Scaling.ParameterScaling({
      scalingInit: initOf(config, inputs),
      scalingShape: shapeOf(config),
      ...restricted(config)
    }),
  StatsFromParameterScaling: (config) =>
    StatsScaling.StatsFromParameterScaling({ ...stats(config), ...affine(config), ...restricted(config) }),
  ParameterFromStatsFromParameterScaling: (config) =>
    StatsScaling.ParameterFromStatsFromParameterScaling({ ...stats(config), ...affine(config), ...restricted(config) }),
  RuntimeStatsScaling: (config) =>
    RuntimeScaling.RuntimeStatsScaling({
      ...stats(config),
      ...affine(config),
      ...momentum(config),
      ...restricted(config)
    }),
  ParameterFromRuntimeStatsScaling: (config) =>
    RuntimeScaling.ParameterFromRuntimeStatsScaling({
      ...stats(config),
      ...momentum(config),
      collectStatsSteps: config.collect_stats_steps,
      ...restricted(config)
    }),
  RuntimeDynamicGroupStatsScaling: (config) =>
    RuntimeScaling.RuntimeDynamicGroupStatsScaling({
      scalingStatsImpl: statisticOf(config),
      inputViewImpl: viewOf({ ...config, view: config.view ?? "DynamicOverSubChannelBlockView" }),
      ...restricted(config)
    }),
  RuntimeDynamicStatsScaling: (config) => {
    const { restrictScalingImpl, restrictThresholdImpl, scalingMinVal } = restricted(config)
    return RuntimeScaling.RuntimeDynamicStatsScaling({
      scalingStatsImpl: statisticOf(config),
      scalingStatsInputViewShapeImpl: viewOf(config),
      dynamicScalingBroadcastableShape: () => config.output_shape as ReadonlyArray<number>,
      restrictScalingImpl,
      restrictThresholdImpl,
      scalingMinVal
    })
  }
}

/** The scale of a configuration; `inputs` are the case's, for an initial value that is a tensor. */
export const scalingOf = (config: any, inputs: Tensors): Scaling.Scaling => {
  const make = scalings[config.op]
  if (make === undefined) throw new Error(`unknown scaling "${config.op}"`)
  return make(config, inputs)
}

/** What the threshold is, by its name in the vectors. */
export const intScalingOf = (
  name: string,
  range: { readonly signed?: boolean | undefined; readonly narrowRange?: boolean | undefined }
): IntScaling.IntScaling => {
  const { signed, narrowRange = false } = range
  if (name === "IntScaling") return IntScaling.IntScaling({ signed, narrowRange })
  if (name === "PowerOfTwoIntScaling") return IntScaling.PowerOfTwoIntScaling({ signed })
  if (name === "constant 1") return IntScaling.SingleArgStatelessBuffer({ intScalingConst: 1 })
  throw new Error(`unknown integer scaling "${name}"`)
}

// ---- before and after -----------------------------------------------------------------------------------------

const moduleOf = (weight: tf.Tensor): Module => ({
  kind: "Linear",
  weight,
  outChannels: weight.shape[0] as number,
  outputChannelAxis: 0
})

/** A pre-scaling; its learned norm begins as that of `inputs.x`, its scale (under `scalingImpl`) as 1. */
export const preScalingOf = (config: any, inputs: Tensors): PreScaling.PreScaling => {
  const view = viewOf(config)
  const restriction = config.restrict_pre_scaling
  const normed = {
    scalingImpl: scalingOf({ output_shape: config.pre_scaling_shape, ...config.scaling }, inputs),
    normalizeStatsImpl: statisticOf({ ...config, stats_op: config.normalize_stats_op }),
    scalingStatsInputViewShapeImpl: view,
    module: moduleOf(inputs.x as tf.Tensor),
    preScalingShape: config.pre_scaling_shape,
    restrictPreScalingImpl:
      restriction === null || restriction === undefined
        ? undefined
        : restrictionNamed(restriction, config.restrict_pre_scaling_float_to_int),
    preScalingMinVal: given<number>(config.pre_scaling_min_val)
  }
  if (config.op === "ParameterPreScalingWeightNorm") return PreScaling.ParameterPreScalingWeightNorm(normed)
  const accumulatorBitWidthImpl = BitWidthConst({ bitWidth: config.accumulator_bit_width })
  if (config.op === "AccumulatorAwareParameterPreScaling")
    return PreScaling.AccumulatorAwareParameterPreScaling({ ...normed, accumulatorBitWidthImpl })
  if (config.op === "AccumulatorAwareZeroCenterParameterPreScaling") {
    const preZeroPointImpl = ZeroPoint.PreZeroCenterZeroPoint({
      statsReduceDim: config.stats_reduce_dim,
      preZeroPointShape: config.pre_scaling_shape,
      preZeroPointStatsInputViewShapeImpl: view
    })
    return PreScaling.AccumulatorAwareZeroCenterParameterPreScaling({
      ...normed,
      accumulatorBitWidthImpl,
      preZeroPointImpl
    })
  }
  throw new Error(`unknown pre-scaling "${config.op}"`)
}

/** The scale of a truncation. */
export const truncScalingOf = (config: any, inputs: Tensors, signed?: boolean): TruncScaling.TruncScaling => {
  if (config.op === "TruncMsbScaling") return TruncScaling.TruncMsbScaling({})
  if (config.op === "TruncScalingWrapper")
    return TruncScaling.TruncScalingWrapper({
      truncIntScalingImpl: intScalingOf(config.trunc_int_scaling, { signed: signed ?? config.signed }),
      scalingImpl: scalingOf(config.scaling, inputs),
      tensorClampImpl: TensorClamp({})
    })
  throw new Error(`unknown truncation scaling "${config.op}"`)
}
