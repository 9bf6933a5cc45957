/**
 * Quant tensors as the vectors write them.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import type { FloatFormat } from "../../../../src/core/TensorQuantizer.ts"
import { tensorOf } from "../Core.ts"

type Value = QuantTensor.Value

// ---- reading ------------------------------------------------------------------------------------------------

const numberIn = (written: any): number => written.data[0]

const floatOf = (written: any): FloatFormat | undefined =>
  written.exponent_bit_width === undefined
    ? undefined
    : {
        exponentBitWidth: numberIn(written.exponent_bit_width),
        mantissaBitWidth: numberIn(written.mantissa_bit_width),
        exponentBias: numberIn(written.exponent_bias),
        saturating: written.saturating,
        infValues: written.inf_values ?? undefined,
        nanValues: written.nan_values ?? undefined
      }

export const readValue = (written: any): Value => {
  if (written.type === "Tensor") {
    const { dtype, data, shape } = written.value
    return dtype === "int32" ? tf.tensor(data, shape, "int32") : tensorOf(written.value)
  }
  const float = floatOf(written)
  return QuantTensor.make({
    value: tensorOf(written.value),
    scale: tensorOf(written.scale),
    zeroPoint: tensorOf(written.zero_point ?? written.zero_point_grouped),
    bitWidth:
      float === undefined
        ? tensorOf(written.bit_width)
        : tf.scalar(1 + float.exponentBitWidth + float.mantissaBitWidth),
    signed: written.signed,
    training: written.training,
    float,
    ...(written.value_grouped !== undefined && {
      grouped: {
        value: tensorOf(written.value_grouped),
        scale: tensorOf(written.scale_grouped),
        zeroPoint: tensorOf(written.zero_point_grouped),
        size: written.group_size,
        dim: written.group_dim
      }
    })
  })
}

// ---- writing ------------------------------------------------------------------------------------------------

const isTensor = (u: unknown): u is tf.Tensor => u instanceof tf.Tensor

export const written = (answer: unknown): unknown => {
  if (isTensor(answer)) return { type: "Tensor", value: answer }
  if (Array.isArray(answer)) return answer.map(written)
  if (!QuantTensor.isQuantTensor(answer)) return { type: "plain", value: answer }
  const { value, scale, zeroPoint, bitWidth, signed, training, float } = answer
  const valid = QuantTensor.isValid(answer)
  const made = valid ? QuantTensor.integers(answer) : null
  return {
    type: float === undefined ? "IntQuantTensor" : "FloatQuantTensor",
    value,
    scale,
    zero_point: zeroPoint,
    signed,
    training,
    is_valid: valid,
    ...(float === undefined
      ? { bit_width: bitWidth, int: made }
      : {
          exponent_bit_width: tf.scalar(float.exponentBitWidth),
          mantissa_bit_width: tf.scalar(float.mantissaBitWidth),
          exponent_bias: tf.scalar(float.exponentBias),
          saturating: float.saturating,
          inf_values: float.infValues ?? null,
          nan_values: float.nanValues ?? null,
          minifloat: valid ? QuantTensor.minifloat(answer) : null
        })
  }
}
