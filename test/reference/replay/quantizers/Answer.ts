/**
 * What a quantizer answers, under the names that the vectors give to the fields of quant tensors.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import type { FloatFormat, Grouped, Quantized, TensorQuantizer } from "../../../../src/core/TensorQuantizer.ts"

type Fields = Readonly<Record<string, unknown>>

const formatOf = (float: FloatFormat): Fields => ({
  exponent_bit_width: tf.scalar(float.exponentBitWidth),
  mantissa_bit_width: tf.scalar(float.mantissaBitWidth),
  exponent_bias: tf.scalar(float.exponentBias),
  saturating: float.saturating,
  inf_values: float.infValues ?? null,
  nan_values: float.nanValues ?? null
})

const groupsOf = ({ value, scale, zeroPoint, size, dim }: Grouped, shape: ReadonlyArray<number>): Fields => ({
  value_grouped: value,
  scale_grouped: scale,
  zero_point_grouped: zeroPoint,
  group_size: size,
  group_dim: dim,
  dequant_shape: shape
})

/** All fields that the kind of quant tensor may have; what it is made of only if it lies on its grid. */
export const answerOf = (
  { float }: TensorQuantizer,
  quantized: Quantized,
  about: Pick<QuantTensor.QuantTensor, "signed" | "training">
): Fields => {
  const self = QuantTensor.fromQuantized(quantized, { ...about, float })
  const { value, scale, zeroPoint, bitWidth, grouped } = self
  const valid = QuantTensor.isValid(self)
  const kind = float === undefined ? "IntQuantTensor" : "FloatQuantTensor"
  return {
    type: grouped === undefined ? kind : `Groupwise${kind}`,
    value,
    scale,
    zero_point: zeroPoint,
    ...about,
    is_valid: valid,
    ...(float === undefined
      ? { bit_width: bitWidth, int: valid ? QuantTensor.int(self) : null }
      : { ...formatOf(float), minifloat: valid ? QuantTensor.minifloat(self) : null }),
    ...(grouped === undefined ? {} : groupsOf(grouped, value.shape))
  }
}
