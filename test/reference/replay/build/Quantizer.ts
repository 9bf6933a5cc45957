/**
 * Whole quantizers from the configurations of the vectors: a case's own, or the one that it says a preset equals.
 */
import * as BinaryQuant from "../../../../src/core/BinaryQuant.ts"
import * as Clamp from "../../../../src/core/Clamp.ts"
import * as DecoupledIntQuant from "../../../../src/core/DecoupledIntQuant.ts"
import { FloatQuant } from "../../../../src/core/FloatQuant.ts"
import { FloatClamp, FloatScaling } from "../../../../src/core/FloatScaling.ts"
import * as IntQuant from "../../../../src/core/IntQuant.ts"
import * as PrescaledIntQuant from "../../../../src/core/PrescaledIntQuant.ts"
import type { TensorQuantizer } from "../../../../src/core/TensorQuantizer.ts"
import { TernaryQuant } from "../../../../src/core/TernaryQuant.ts"
import { TruncIntQuant } from "../../../../src/core/TruncIntQuant.ts"
import type { Tensors } from "../Core.ts"
import { clampOf, roundingOf } from "./Rounding.ts"
import { intScalingOf, preScalingOf, scalingOf, truncScalingOf } from "./Scaling.ts"
import { viewOf } from "./Statistic.ts"
import { bitWidthOf, hostRangeOf, zeroPointOf } from "./ZeroPoint.ts"

const given = <A>(u: A | null | undefined): A | undefined => u ?? undefined

const delayed = (config: any) => ({ quantDelaySteps: (config.quant_delay_steps ?? 0) as number })

const clampNamed = (name: string): Clamp.Clamp =>
  name === "tensor_clamp_ste_inplace" ? Clamp.InplaceTensorClampSte({}) : clampOf(name)

// ---- integers -----------------------------------------------------------------------------------------------

const intParts = (config: any) => ({
  signed: config.signed as boolean,
  narrowRange: config.narrow_range as boolean,
  floatToIntImpl: roundingOf(config.float_to_int),
  tensorClampImpl: clampNamed(config.clamp),
  ...delayed(config),
  inputViewImpl: viewOf(config.input_view)
})

/** The integer quantization of a config's `int_quant`. */
export const intQuantOf = (config: any): IntQuant.IntQuant => IntQuant.IntQuant(intParts(config))
export const decoupledIntQuantOf = (config: any): DecoupledIntQuant.DecoupledIntQuant =>
  DecoupledIntQuant.DecoupledIntQuant(intParts(config))

const rescaling = (config: any, inputs: Tensors): TensorQuantizer => {
  const host = hostRangeOf(config.int_quant)
  return IntQuant.RescalingIntQuant({
    intQuant: intQuantOf(config.int_quant),
    scalingImpl: scalingOf(config.scaling, inputs),
    intScalingImpl: intScalingOf(config.int_scaling, host),
    zeroPointImpl: zeroPointOf(config.zero_point, host, inputs),
    bitWidthImpl: bitWidthOf(config.bit_width, inputs)
  })
}

const decoupledParts = (config: any, inputs: Tensors) => {
  const host = hostRangeOf(config.int_quant)
  return {
    decoupledIntQuant: decoupledIntQuantOf(config.int_quant),
    scalingImpl: scalingOf(config.scaling, inputs),
    intScalingImpl: intScalingOf(config.int_scaling, host),
    preZeroPointImpl: zeroPointOf(config.pre_zero_point, host, inputs),
    zeroPointImpl: zeroPointOf(config.zero_point, host, inputs),
    bitWidthImpl: bitWidthOf(config.bit_width, inputs)
  }
}

/** A pre-scaling is one of its own, or any scaling without a threshold. */
const isNormed = (config: any): boolean => config.op.includes("PreScaling")

const decoupled = (config: any, inputs: Tensors): TensorQuantizer => {
  const preScalingImpl = isNormed(config.pre_scaling)
    ? preScalingOf(config.pre_scaling, inputs)
    : scalingOf(config.pre_scaling, inputs)
  return DecoupledIntQuant.DecoupledRescalingIntQuant({ ...decoupledParts(config, inputs), preScalingImpl })
}

const decoupledWithInput = (config: any, inputs: Tensors): TensorQuantizer =>
  DecoupledIntQuant.DecoupledRescalingIntQuantWithInput({
    ...decoupledParts(config, inputs),
    preScalingImpl: preScalingOf(config.pre_scaling, inputs)
  })

const prescaled = (config: any, inputs: Tensors) => ({
  intQuant: intQuantOf(config.int_quant),
  bitWidthImpl: bitWidthOf(config.bit_width, inputs)
})

const truncated = (config: any, inputs: Tensors): TensorQuantizer =>
  TruncIntQuant({
    floatToIntImpl: roundingOf(config.float_to_int),
    bitWidthImpl: bitWidthOf(config.bit_width, inputs),
    truncScalingImpl: truncScalingOf(config.trunc_scaling, inputs, config.signed),
    narrowRange: config.narrow_range ?? false,
    tensorClampImpl: clampOf(config.clamp ?? "tensor_clamp"),
    ...delayed(config)
  })

// ---- minifloats ---------------------------------------------------------------------------------------------

const minifloat = (config: any, inputs: Tensors): TensorQuantizer => {
  const available = { maxAvailableFloat: given<number>(config.max_available_float) }
  const floatScaling = given<any>(config.float_scaling)
  return FloatQuant({
    bitWidth: config.bit_width,
    signed: config.signed,
    exponentBitWidth: config.exponent_bit_width,
    mantissaBitWidth: config.mantissa_bit_width,
    exponentBias: config.exponent_bias,
    floatClampImpl: FloatClamp({
      tensorClampImpl: clampOf(config.clamp),
      signed: config.signed,
      infValues: given<ReadonlyArray<string>>(config.inf_values),
      nanValues: given<ReadonlyArray<string>>(config.nan_values),
      ...available,
      saturating: config.saturating
    }),
    inputViewImpl: viewOf(config.input_view),
    scalingImpl: given(config.scaling) && scalingOf(config.scaling, inputs),
    floatScalingImpl:
      floatScaling && FloatScaling({ maxAvailableFloat: given<number>(floatScaling.max_available_float) }),
    floatToIntImpl: roundingOf(config.float_to_int)
  })
}

// ---- all ----------------------------------------------------------------------------------------------------

const quantizers: Readonly<Record<string, (config: any, inputs: Tensors) => TensorQuantizer>> = {
  RescalingIntQuant: rescaling,
  DecoupledRescalingIntQuant: decoupled,
  DecoupledRescalingIntQuantWithInput: decoupledWithInput,
  PrescaledRestrictIntQuant: (config, inputs) => PrescaledIntQuant.PrescaledRestrictIntQuant(prescaled(config, inputs)),
  PrescaledRestrictIntQuantWithInputBitWidth: (config, inputs) =>
    PrescaledIntQuant.PrescaledRestrictIntQuantWithInputBitWidth(prescaled(config, inputs)),
  TruncIntQuant: truncated,
  BinaryQuant: (config, inputs) =>
    BinaryQuant.BinaryQuant({ scalingImpl: scalingOf(config.scaling, inputs), ...delayed(config) }),
  ClampedBinaryQuant: (config, inputs) =>
    BinaryQuant.ClampedBinaryQuant({
      scalingImpl: scalingOf(config.scaling, inputs),
      tensorClampImpl: clampNamed(config.clamp ?? "tensor_clamp"),
      ...delayed(config)
    }),
  TernaryQuant: (config, inputs) =>
    TernaryQuant({ scalingImpl: scalingOf(config.scaling, inputs), threshold: config.threshold, ...delayed(config) }),
  FloatQuant: minifloat
}

/** The quantizer of a configuration; `inputs` are the case's, for what is initialised from them. */
export const quantizerOf = (config: any, inputs: Tensors): TensorQuantizer => {
  const build = Object.hasOwn(quantizers, config.op) ? quantizers[config.op] : undefined
  if (build === undefined) throw new Error(`no quantizer "${config.op}"`)
  return build(config, inputs)
}
