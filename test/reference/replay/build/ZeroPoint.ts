/**
 * Zero-points and bit-widths from the configurations of the vectors. Learned values that a case gives are put over
 * `brick.parameters` by its replay.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as BitWidth from "../../../../src/core/BitWidth.ts"
import type { Clamp } from "../../../../src/core/Clamp.ts"
import type { Rounding } from "../../../../src/core/Rounding.ts"
import * as RuntimeZeroPoint from "../../../../src/core/RuntimeZeroPoint.ts"
import * as ZeroPoint from "../../../../src/core/ZeroPoint.ts"
import type { Tensors } from "../Core.ts"
import { clampOf, roundingOf } from "./Rounding.ts"
import { restrictionOf } from "./Scaling.ts"
import { statisticOf, viewOf } from "./Statistic.ts"

/** The integers of the quantizer that a zero-point serves. */
export interface HostRange {
  readonly signed: boolean
  readonly narrowRange: boolean
  readonly floatToIntImpl: Rounding
  readonly tensorClampImpl: Clamp
}

/** The range of a config's `int_quant`. */
export const hostRangeOf = (intQuant: any): HostRange => ({
  signed: intQuant.signed,
  narrowRange: intQuant.narrow_range,
  floatToIntImpl: roundingOf(intQuant.float_to_int),
  tensorClampImpl: clampOf(intQuant.clamp)
})

const given = <A>(u: A | null | undefined): A | undefined => u ?? undefined

// ---- zero-points --------------------------------------------------------------------------------------------

const stats = (config: any) => ({
  zeroPointStatsImpl: statisticOf(config),
  zeroPointStatsInputViewShapeImpl: viewOf(config),
  zeroPointShape: given<ReadonlyArray<number>>(config.output_shape ?? config.zero_point_shape)
})

const affine = (config: any) => ({
  zeroPointAffineRescalingInit: config.affine_rescaling === true ? 1 : undefined,
  zeroPointAffineShiftingInit: config.affine_shifting === true ? 0 : undefined
})

type Build = (
  config: any,
  host: HostRange & { readonly quantizeZeroPoint: boolean },
  inputs: Tensors
) => ZeroPoint.ZeroPoint

const zeroPoints: Readonly<Record<string, Build>> = {
  ZeroZeroPoint: () => ZeroPoint.ZeroZeroPoint({}),
  ParameterZeroPoint: (config, host, inputs) =>
    ZeroPoint.ParameterZeroPoint({
      zeroPointInit: (inputs.zero_point_param ?? inputs.param_value ?? 0) as number | tf.Tensor,
      zeroPointShape: given(config.output_shape ?? config.zero_point_shape),
      ...host
    }),
  StatsFromParameterZeroPoint: (config, host) =>
    ZeroPoint.StatsFromParameterZeroPoint({ ...stats(config), ...affine(config), ...host }),
  ParameterFromStatsFromParameterZeroPoint: (config, host) =>
    ZeroPoint.ParameterFromStatsFromParameterZeroPoint({ ...stats(config), ...affine(config), ...host }),
  ParameterFromRuntimeZeroPoint: (config, host) => {
    const { zeroPointShape, ...taken } = stats(config)
    return RuntimeZeroPoint.ParameterFromRuntimeZeroPoint({
      ...taken,
      ...(zeroPointShape !== undefined && { zeroPointShape }),
      collectStatsSteps: config.collect_stats_steps,
      zeroPointStatsMomentum: config.momentum === undefined ? 0.1 : (config.momentum as number | null),
      ...host
    })
  },
  PreZeroCenterZeroPoint: (config) =>
    ZeroPoint.PreZeroCenterZeroPoint({
      statsReduceDim: given(config.stats_reduce_dim),
      preZeroPointStatsInputViewShapeImpl: viewOf(config),
      preZeroPointShape: given(config.output_shape)
    }),
  RuntimeDynamicGroupZeroPoint: (config, host) =>
    RuntimeZeroPoint.RuntimeDynamicGroupZeroPoint({
      zeroPointStatsImpl: statisticOf(config),
      inputViewImpl: viewOf({ ...config, view: config.view ?? "DynamicOverSubChannelBlockView" }),
      ...host
    }),
  RuntimeDynamicStatsZeroPoint: (config, host) =>
    RuntimeZeroPoint.RuntimeDynamicStatsZeroPoint({
      zeroPointStatsImpl: statisticOf(config),
      zeroPointStatsInputViewShapeImpl: viewOf(config),
      dynamicScalingBroadcastableShape: () => config.output_shape,
      ...host
    })
}

/** The zero-point of a configuration; absent: 0. */
export const zeroPointOf = (config: any, range: HostRange, inputs: Tensors): ZeroPoint.ZeroPoint => {
  const name: string = config?.op ?? "ZeroZeroPoint"
  const build = Object.hasOwn(zeroPoints, name) ? zeroPoints[name] : undefined
  if (build === undefined) throw new Error(`no zero-point "${name}"`)
  return build(config, { ...range, quantizeZeroPoint: config?.quantize_zero_point ?? true }, inputs)
}

// ---- bit-widths ---------------------------------------------------------------------------------------------

const removing = (config: any): BitWidth.BitWidth =>
  BitWidth.RemoveBitwidthParameter({
    bitWidthToRemove: config.bit_width_to_remove ?? 0,
    ...(config.non_zero_epsilon !== undefined && { nonZeroEpsilon: config.non_zero_epsilon as number }),
    ...(config.remove_zero_bit_width !== undefined && { removeZeroBitWidth: config.remove_zero_bit_width as number })
  })

const bitWidths: Readonly<Record<string, (config: any) => BitWidth.BitWidth>> = {
  BitWidthConst: ({ bit_width: bitWidth }) => BitWidth.BitWidthConst({ bitWidth }),
  BitWidthStatefulConst: ({ bit_width: bitWidth }) => BitWidth.BitWidthStatefulConst({ bitWidth }),
  BitWidthParameter: (config) =>
    BitWidth.BitWidthParameter({
      bitWidth: config.bit_width,
      ...(config.min_bit_width !== undefined && { minBitWidth: config.min_bit_width as number }),
      ...(config.restrict !== undefined && {
        restrictBitWidthImpl: restrictionOf({
          restrict_scaling: config.restrict,
          restrict_float_to_int: config.restrict_float_to_int
        })
      })
    }),
  RemoveBitwidthParameter: removing,
  MsbClampBitWidth: (config) =>
    BitWidth.MsbClampBitWidth({
      bitWidthToRemoveImpl:
        config.bit_width_to_remove_impl === "RemoveBitwidthParameter"
          ? removing(config)
          : BitWidth.BitWidthConst({ bitWidth: config.bit_width_to_remove }),
      minOverallBitWidth: config.min_overall_bit_width,
      maxOverallBitWidth: config.max_overall_bit_width
    })
}

/** The bit-width of a configuration, or of a plain number. A learned one has its parameter under `bitWidthOffset` (or `bitWidthCoeff`). */
export const bitWidthOf = (config: any, _inputs: Tensors): BitWidth.BitWidth => {
  if (typeof config === "number") return BitWidth.BitWidthConst({ bitWidth: config })
  const build = Object.hasOwn(bitWidths, config.op) ? bitWidths[config.op] : undefined
  if (build === undefined) throw new Error(`no bit-width "${config.op}"`)
  return build(config)
}
