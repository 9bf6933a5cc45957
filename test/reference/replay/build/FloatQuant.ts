/**
 * Minifloat quantizers from the configurations of the vectors.
 */
import { FloatQuant } from "../../../../src/core/FloatQuant.ts"
import * as FloatScaling from "../../../../src/core/FloatScaling.ts"
import type { TensorQuantizer } from "../../../../src/core/TensorQuantizer.ts"
import * as View from "../../../../src/core/View.ts"
import type { Format } from "../../../../src/op/Minifloat.ts"
import type { Tensors } from "../Core.ts"
import { clampOf, roundingOf } from "./Rounding.ts"
import { scalingOf } from "./Scaling.ts"
import { viewOf } from "./Statistic.ts"

const given = <A>(u: A | null | undefined): A | undefined => u ?? undefined

export const formatOf = (config: any): Format => ({
  exponentBitWidth: config.exponent_bit_width,
  mantissaBitWidth: config.mantissa_bit_width,
  exponentBias: config.exponent_bias
})

/** The codes that are no numbers. */
export const reservedOf = (config: any) => ({
  infValues: given<ReadonlyArray<string>>(config.inf_values),
  nanValues: given<ReadonlyArray<string>>(config.nan_values)
})

const floatScalingOf = (config: any): FloatScaling.FloatScaling | undefined =>
  config === null || config === undefined
    ? undefined
    : FloatScaling.FloatScaling({ maxAvailableFloat: given<number>(config.max_available_float) })

/** A minifloat quantizer; learned tensors are put over its parameters by the replay. */
export const floatQuantOf = (config: any, inputs: Tensors): TensorQuantizer =>
  FloatQuant({
    ...formatOf(config),
    bitWidth: config.bit_width,
    signed: config.signed,
    floatToIntImpl: roundingOf(config.float_to_int),
    inputViewImpl: given(config.input_view) === undefined ? View.identity : viewOf(config.input_view),
    scalingImpl: given(config.scaling) === undefined ? undefined : scalingOf(config.scaling, inputs),
    floatScalingImpl: floatScalingOf(config.float_scaling),
    floatClampImpl: FloatScaling.FloatClamp({
      ...reservedOf(config),
      tensorClampImpl: clampOf(config.clamp),
      signed: config.signed,
      maxAvailableFloat: given<number>(config.max_available_float),
      saturating: config.saturating
    })
  })
