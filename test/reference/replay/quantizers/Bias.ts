/**
 * Bias quantizers: with the scale of the products that the bias is added to, or with one of their own.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Case, Outcome } from "../../Case.ts"
import { type Tensors, tensorOf } from "../Core.ts"
import { outcomeOf } from "./Compared.ts"
import * as Quantizer from "./Quantizer.ts"
import * as Step from "./Step.ts"

/** The scale of an accumulator: the input's times the weight's, one for each output channel or one for all. */
const productOf = (inputs: Tensors): tf.Tensor =>
  tf.reshape(tf.mul(inputs.input_scale as tf.Tensor, inputs.weight_scale as tf.Tensor), [-1])

export const replayBias = (testCase: Case): Outcome => {
  const { inputs, outputs, grads, config } = testCase
  const bias = tensorOf(inputs.bias)
  const external = config.resolved.requires_input_scale === true
  const given: Tensors = external
    ? { bias, input_scale: tensorOf(inputs.input_scale), weight_scale: tensorOf(inputs.weight_scale) }
    : { bias }
  const input = (from: Tensors): Step.Input => {
    const x = from.bias as tf.Tensor
    return { x, tracked: [x], external: external ? { scale: productOf(from) } : undefined }
  }
  const module = Quantizer.moduleOf(config.layer, tensorOf(inputs.weight), bias)
  return Quantizer.withQuantizer(testCase, "bias", module, ({ quantizer, signed = true }) => {
    const { found } = Step.step(
      { quantizer, kept: quantizer, training: true, inputs: given, input },
      { answer: outputs.quant, state: outputs.state, grads, upstream: tensorOf(inputs.upstream) },
      { testCase, path: "quant", prefix: "tensor_quant.", signed }
    )
    return outcomeOf(testCase, found)
  })
}
