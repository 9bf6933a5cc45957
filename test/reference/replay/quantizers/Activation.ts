/**
 * Activation quantizers: training forwards, then evaluation, with the function of the layer before the quantizer.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { TensorQuantizer } from "../../../../src/core/TensorQuantizer.ts"
import { type Case, failed, type Outcome } from "../../Case.ts"
import { tensorOf } from "../Core.ts"
import { type Difference, outcomeOf } from "./Compared.ts"
import { statesChannels } from "./Names.ts"
import * as Quantizer from "./Quantizer.ts"
import * as Step from "./Step.ts"

const prefix = "fused_activation_quant_proxy.tensor_quant."

/** What the layers do before they quantize. The clamp of a hard tanh is left to the quantizer, which clamps anyway. */
const functions: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  QuantIdentity: (x) => x,
  QuantHardTanh: (x) => x,
  QuantReLU: tf.relu,
  QuantSigmoid: tf.sigmoid,
  QuantTanh: tf.tanh
}

/** The quantizer as one whose channels are the second axis of its input. */
const channelsSecond = (quantizer: TensorQuantizer): TensorQuantizer => ({
  ...quantizer,
  apply: (state, x) => {
    const { rank } = x
    const last = [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1]
    const second = [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)]
    const [quantized, memory] = quantizer.apply(state, tf.transpose(x, last))
    return [{ ...quantized, value: tf.transpose(quantized.value, second) }, memory]
  }
})

export const replayActivation = (testCase: Case): Outcome => {
  const { inputs, outputs, grads, config } = testCase
  const f = functions[config.layer]
  if (f === undefined) return failed(`no activation "${config.layer}" is known`)
  const module = Quantizer.weightless(config.layer)
  return Quantizer.withQuantizer(testCase, "act", module, ({ quantizer: own, signed = true }) => {
    const quantizer = statesChannels(config.resolved, config.overrides) ? channelsSecond(own) : own
    const differing: Array<Difference> = []
    let kept: Step.Kept = quantizer
    config.modes.forEach((mode: string, i: number) => {
      const { out, state } = outputs.steps[i]
      const input = ({ x }: { readonly x?: tf.Tensor }): Step.Input => ({ x: f(x as tf.Tensor) })
      const done = Step.step(
        { quantizer, kept, training: mode === "train", inputs: { x: tensorOf(inputs.x[i]) }, input },
        { answer: out, state, grads: grads.steps[i], upstream: tensorOf(inputs.upstream[i]) },
        { testCase, path: `step ${i} (${mode})`, prefix, signed }
      )
      kept = done.kept
      differing.push(...done.found)
    })
    return outcomeOf(testCase, differing)
  })
}
