/**
 * Truncation: a quantized input requantized with fewer bits.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Case, Outcome } from "../../Case.ts"
import { type Tensors, tensorOf } from "../Core.ts"
import { type Difference, outcomeOf } from "./Compared.ts"
import * as Quantizer from "./Quantizer.ts"
import * as Step from "./Step.ts"

export const replayTrunc = (testCase: Case): Outcome => {
  const { inputs, outputs, grads, config } = testCase
  const signed: boolean = config.input_signed
  const zeroPoint = tensorOf(inputs.zero_point)
  const scale = tensorOf(inputs.scale)
  const bitWidth = tf.scalar(config.input_bit_width)
  const input = (from: Tensors): Step.Input => ({
    x: from.value as tf.Tensor,
    external: { scale: from.scale as tf.Tensor, zeroPoint, bitWidth, signed }
  })
  return Quantizer.withQuantizer(testCase, "trunc", Quantizer.weightless("TruncAvgPool2d"), ({ quantizer }) => {
    const differing: Array<Difference> = []
    let kept: Step.Kept = quantizer
    config.modes.forEach((mode: string, i: number) => {
      const { out, state } = outputs.steps[i]
      const value = tf.mul(tf.sub(tensorOf(inputs.int[i]), zeroPoint), scale)
      const done = Step.step(
        { quantizer, kept, training: mode === "train", inputs: { value, scale }, input },
        { answer: out, state, grads: grads.steps[i], upstream: tensorOf(inputs.upstream[i]) },
        { testCase, path: `step ${i} (${mode})`, prefix: "tensor_quant.", signed }
      )
      kept = done.kept
      differing.push(...done.found)
    })
    return outcomeOf(testCase, differing)
  })
}
