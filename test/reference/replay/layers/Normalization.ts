/**
 * Scale and bias, and batch normalization merged into a layer.
 */
import type * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import type * as Layer from "../../../../src/nn/Layer.ts"
import * as Normalization from "../../../../src/nn/Normalization.ts"
import * as State from "../../../../src/nn/State.ts"
import * as Weighted from "../../../../src/nn/Weighted.ts"
import type { Case, Outcome } from "../../Case.ts"
import { tensorOf } from "../Core.ts"
import { differences, outcomeOf } from "../quantizers/Compared.ts"
import * as Answer from "./Answer.ts"
import * as Layout from "./Layout.ts"
import { inputOf, type Measuring, measured, outcome } from "./Measured.ts"
import { optionsOf } from "./Options.ts"
import { layerOf } from "./Weighted.ts"

const statisticsOf = (written: any): Normalization.Statistics => ({
  weight: tensorOf(written.weight),
  bias: tensorOf(written.bias),
  runningMean: tensorOf(written.running_mean),
  runningVar: tensorOf(written.running_var)
})

export const replay = (testCase: Case): Promise<Outcome> => {
  const { config, inputs, outputs } = testCase
  const training = config.mode === "train"
  const layout = Layout.channelsLast
  const x = inputOf(testCase, inputs.x, layout, training)
  const options = optionsOf(testCase, ["weight", "bias", "input", "output"]) as any
  const parameters =
    inputs.batchnorm_state_dict === undefined
      ? { weight: tensorOf(inputs.weight), bias: tensorOf(inputs.bias) }
      : Normalization.scaleAndBias(statisticsOf(inputs.batchnorm_state_dict), config.eps)
  const measuring: Measuring<Layer.Value> = {
    layer: Normalization.quantScaleBias({ ...options, channels: config.num_features }),
    parameters,
    calib: inputs.calib.map((one: any) => inputOf(testCase, one, layout, true)),
    x,
    training,
    variables: { x: QuantTensor.dequantized(x) },
    withVariables: ({ x: now }) => now as tf.Tensor,
    losses: (y) => [[QuantTensor.dequantized(y as Layer.Value), Layout.ours(layout, tensorOf(inputs.upstream))]],
    layouts: { x: layout },
    expected: (y) => [
      ["out", outputs.out, Answer.answerOf(y as Layer.Value, layout)],
      ["weight", outputs.weight, parameters.weight],
      ["bias", outputs.bias, parameters.bias]
    ]
  }
  return outcome(testCase, measured(testCase, measuring))
}

export const replayMerge = (testCase: Case): Promise<Outcome> => {
  const { config, inputs, outputs } = testCase
  const { make, weight: layout } = layerOf(testCase)
  return outcome(
    testCase,
    Effect.gen(function* () {
      const layer = (yield* make(optionsOf(testCase, ["weight"]))) as Weighted.Weighted
      yield* State.load(layer, {
        weight: Layout.ours(layout, tensorOf(inputs.weight)),
        ...(inputs.bias !== undefined && { bias: tensorOf(inputs.bias) })
      })
      const there = (x: tf.Tensor): tf.Tensor => (x.rank > 1 ? Layout.theirs(layout, x) : x)
      const before = yield* Weighted.scale(layer)
      yield* Normalization.mergeInto(layer, statisticsOf(inputs.batchnorm), config.eps)
      const { weight, bias } = yield* State.parameters(layer)
      const quantized = yield* Weighted.quantWeight(layer, { training: true })
      return outcomeOf(testCase, [
        ...differences(outputs.weight, there(weight as tf.Tensor), "weight"),
        ...differences(outputs.bias, bias, "bias"),
        ...differences(outputs.weight_scale_before, there(before), "weight_scale_before"),
        ...differences(outputs.quant_weight, Answer.answerOf(quantized, layout), "quant_weight")
      ])
    })
  )
}
