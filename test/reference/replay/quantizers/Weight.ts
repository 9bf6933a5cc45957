/**
 * Weight quantizers: a weight put into its layer step by step, and one quantizer shared by two layers.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Case, Outcome } from "../../Case.ts"
import { type Tensors, tensorOf } from "../Core.ts"
import { answerOf } from "./Answer.ts"
import { type Difference, differences, gradientDifferences, outcomeOf } from "./Compared.ts"
import * as Quantizer from "./Quantizer.ts"
import * as Step from "./Step.ts"
import { treeDifferences } from "./Tree.ts"

const prefix = "tensor_quant."

const alone = ({ weight }: Tensors): Step.Input => ({ x: weight as tf.Tensor, tracked: [weight as tf.Tensor] })

/** Each weight in place of the one before; statistics that are not taken yet are taken of the first. */
export const replayWeight = (testCase: Case): Outcome => {
  const { inputs, outputs, grads, config } = testCase
  const weights: ReadonlyArray<tf.Tensor> = inputs.weight.map(tensorOf)
  const module = Quantizer.moduleOf(config.layer, weights[0] as tf.Tensor)
  return Quantizer.withQuantizer(testCase, "weight", module, ({ quantizer, signed = true }) => {
    const differing: Array<Difference> = []
    let kept: Step.Kept = quantizer
    let last = weights[0] as tf.Tensor
    weights.forEach((weight, i) => {
      const { quant, state } = outputs.steps[i]
      const path = `step ${i}`
      const upstream = tensorOf(inputs.upstream[i])
      const done = Step.step(
        { quantizer, kept, training: true, inputs: { weight }, input: alone },
        { answer: quant, state, grads: grads.steps[i], upstream },
        { testCase, path, prefix, signed }
      )
      kept = done.kept
      last = done.quantized.input ?? weight
      differing.push(...done.found)
    })
    // The weight of the reference is one tensor: what a clamp wrote into it is noted at every step as the last one left it.
    const written = outputs.steps.flatMap((step: any) => step.weight_after ?? [])
    for (const expected of written.length === 0 ? [inputs.weight.at(-1)] : written)
      differing.push(...differences(expected, last, "weight_after"))
    const { quantized } = Step.called({ quantizer, kept, training: false, inputs: { weight: last }, input: alone })
    differing.push(...differences(outputs.eval_scale, quantized.grouped?.scale ?? quantized.scale, "eval_scale"))
    return outcomeOf(testCase, differing)
  })
}

/** One quantizer over the weights of two layers: statistics are taken over both. */
export const replayShared = (testCase: Case): Outcome => {
  const { inputs, outputs, grads, config } = testCase
  const [weight1, weight2] = inputs.weight.map(tensorOf) as [tf.Tensor, tf.Tensor]
  const [up1, up2] = inputs.upstream.map(tensorOf) as [tf.Tensor, tf.Tensor]
  const modules = [Quantizer.moduleOf(config.layer, weight1), Quantizer.moduleOf(config.layer, weight2)] as const
  return Quantizer.withQuantizer(testCase, "weight", modules, ({ quantizer, signed = true }) => {
    const both = { weight1, weight2 }
    const of =
      (x: keyof typeof both) =>
      (given: Tensors): Step.Input => ({ x: given[x] as tf.Tensor, tracked: Object.values(given) })
    const call = { quantizer, training: true, inputs: both }
    const first = { ...call, kept: quantizer, input: of("weight1") }
    const quant1 = Step.called(first)
    const second = { ...call, kept: quant1.kept, input: of("weight2") }
    const quant2 = Step.called(second)
    const [start, between] = [Step.prepared(first), Step.prepared(second)]
    const gradients = Step.gradientsOf(
      (parameters, given) => {
        const tracked = Object.values(given)
        const [y1] = quantizer.apply({ ...start, parameters, tracked }, given.weight1 as tf.Tensor)
        const [y2] = quantizer.apply({ ...between, parameters, tracked }, given.weight2 as tf.Tensor)
        return tf.add(Step.against(y1.value, up1), Step.against(y2.value, up2))
      },
      start.parameters,
      both,
      prefix
    )
    const values = [[quant1.quantized.value, up1] as const, [quant2.quantized.value, up2] as const]
    const terms = Step.termsOf(testCase, values, Step.variablesOf(start.parameters, both, prefix))
    const about = { signed, training: true }
    return outcomeOf(testCase, [
      ...differences(outputs.quant1, answerOf(quantizer, quant1.quantized, about), "quant1"),
      ...differences(outputs.quant2, answerOf(quantizer, quant2.quantized, about), "quant2"),
      ...treeDifferences(outputs.tree, quantizer),
      ...gradientDifferences(grads, gradients, "grads", terms)
    ])
  })
}
