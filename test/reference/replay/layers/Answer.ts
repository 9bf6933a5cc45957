/**
 * What a layer answers and remembers, under the names and in the layout of the reference.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import type * as Layer from "../../../../src/nn/Layer.ts"
import * as Tree from "../../../../src/tensor/Tree.ts"
import { camelOf } from "../quantizers/Names.ts"
import * as Layout from "./Layout.ts"

type Fields = Readonly<Record<string, unknown>>

const formatFields = (self: QuantTensor.QuantTensor, valid: boolean, there: (x: tf.Tensor) => tf.Tensor): Fields => {
  const { float, bitWidth } = self
  if (float === undefined) return { bit_width: bitWidth, int: valid ? there(QuantTensor.int(self)) : null }
  return {
    exponent_bit_width: tf.scalar(float.exponentBitWidth),
    mantissa_bit_width: tf.scalar(float.mantissaBitWidth),
    exponent_bias: tf.scalar(float.exponentBias),
    saturating: float.saturating,
    inf_values: float.infValues ?? null,
    nan_values: float.nanValues ?? null,
    minifloat: valid ? there(QuantTensor.minifloat(self)) : null
  }
}

const groupFields = (
  { grouped, value }: QuantTensor.QuantTensor,
  layout: Layout.Layout,
  there: (x: tf.Tensor) => tf.Tensor
): Fields => {
  if (grouped === undefined) return {}
  const apart = (x: tf.Tensor): tf.Tensor =>
    x.rank === grouped.value.rank ? Layout.theirGroups(layout, x, grouped.dim)[0] : x
  return {
    value_grouped: apart(grouped.value),
    scale_grouped: apart(grouped.scale),
    zero_point_grouped: apart(grouped.zeroPoint),
    group_size: grouped.size,
    group_dim: Layout.theirGroups(layout, grouped.value, grouped.dim)[1],
    dequant_shape: there(value).shape
  }
}

/** The fields of a value as the reference writes them. */
export const answerOf = (value: Layer.Value, layout: Layout.Layout): Fields => {
  const rank = QuantTensor.dequantized(value).rank
  const there = (x: tf.Tensor): tf.Tensor => (x.rank === rank ? Layout.theirs(layout, x) : x)
  if (!QuantTensor.isQuantTensor(value)) return { type: "Tensor", value: there(value) }
  const kind = value.float === undefined ? "IntQuantTensor" : "FloatQuantTensor"
  const valid = QuantTensor.isValid(value)
  return {
    type: value.grouped === undefined ? kind : `Groupwise${kind}`,
    value: there(value.value),
    scale: there(value.scale),
    zero_point: there(value.zeroPoint),
    signed: value.signed,
    training: value.training,
    is_valid: valid,
    ...formatFields(value, valid, there),
    ...groupFields(value, layout, there)
  }
}

/** `inputQuant.scalingImpl.value` of `input_quant.fused_activation_quant_proxy.tensor_quant.scaling_impl.value`. */
export const nameOf = (theirs: string): string =>
  camelOf(theirs.replace(/fused_activation_quant_proxy\./g, "").replace(/tensor_quant\./g, ""))

/** Parameters and memory of every cell but the layers' own weights, by breve's names. */
export const stateOf = (layer: Layer.Stateful, states: Layer.States): Readonly<Record<string, tf.Tensor | number>> =>
  Object.fromEntries(
    layer.cells.flatMap(([name, cell]) => {
      const { parameters, memory } = states.get(cell) ?? { parameters: {}, memory: {} }
      const full = (inner: string): string => (name === "" ? inner : `${name}.${inner}`)
      return [...Tree.leaves(memory), ...Tree.leaves(parameters)].map(([inner, leaf]) => [full(inner), leaf] as const)
    })
  )
