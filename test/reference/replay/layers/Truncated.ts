/**
 * Average pools that end in a truncation.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import type * as Layer from "../../../../src/nn/Layer.ts"
import * as Truncated from "../../../../src/nn/Truncated.ts"
import type { Case, Outcome } from "../../Case.ts"
import { tensorOf } from "../Core.ts"
import * as Answer from "./Answer.ts"
import * as Layout from "./Layout.ts"
import { inputOf, type Measuring, measured, outcome } from "./Measured.ts"
import { optionsOf } from "./Options.ts"

const pair = (x: any): any => (typeof x === "number" ? [x, x] : x)

export const replay = (testCase: Case): Promise<Outcome> => {
  const { config, inputs, outputs } = testCase
  const training = config.mode === "train"
  const layout = Layout.channelsLast
  const x = inputOf(testCase, inputs.x, layout, training)
  const options = optionsOf(testCase, ["trunc"]) as any
  const { kernel_size, stride, output_size } = config.args
  const strides = stride === undefined ? {} : { strides: pair(stride) }
  const layer: any =
    config.layer === "TruncAvgPool2d"
      ? Truncated.truncAvgPool2d({ ...options, kernelSize: pair(kernel_size), ...strides })
      : Truncated.truncAdaptiveAvgPool2d({ ...options, outputSize: pair(output_size) })
  const measuring: Measuring<Layer.Value> = {
    layer,
    parameters: {},
    calib: [],
    x,
    training,
    variables: { x: QuantTensor.dequantized(x) },
    withVariables: ({ x: now }) => ({ ...(x as QuantTensor.QuantTensor), value: now as tf.Tensor }),
    losses: (y) => [[QuantTensor.dequantized(y as Layer.Value), Layout.ours(layout, tensorOf(inputs.upstream))]],
    layouts: { x: layout },
    expected: (y) => [["out", outputs.out, Answer.answerOf(y as Layer.Value, layout)]]
  }
  return outcome(testCase, measured(testCase, measuring))
}
