/**
 * Upsampling.
 */
import type * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import type * as Layer from "../../../../src/nn/Layer.ts"
import * as Upsample from "../../../../src/nn/Upsample.ts"
import type { Case, Outcome } from "../../Case.ts"
import { tensorOf } from "../Core.ts"
import * as Answer from "./Answer.ts"
import * as Layout from "./Layout.ts"
import { inputOf, type Measuring, measured, outcome } from "./Measured.ts"

export const replay = (testCase: Case): Promise<Outcome> => {
  const { config, inputs, outputs } = testCase
  const layout = Layout.channelsLast
  const x = inputOf(testCase, inputs.x, layout, false)
  const { scale_factor: scaleFactor, size, mode, align_corners } = config.args
  const how = size === undefined ? { scaleFactor } : { size }
  const bilinear = config.layer === "QuantUpsamplingBilinear2d" || mode === "bilinear"
  const alignCorners = config.layer === "QuantUpsamplingBilinear2d" || align_corners === true
  const measuring: Measuring<Layer.Value> = {
    layer: Effect.succeed(
      bilinear ? Upsample.upsampleBilinear({ ...how, alignCorners }) : Upsample.upsampleNearest(how)
    ),
    parameters: {},
    calib: [],
    x,
    training: false,
    variables: { x: QuantTensor.dequantized(x) },
    withVariables: ({ x: now }) => ({ ...(x as QuantTensor.QuantTensor), value: now as tf.Tensor }),
    losses: (y) => [[QuantTensor.dequantized(y as Layer.Value), Layout.ours(layout, tensorOf(inputs.upstream))]],
    layouts: { x: layout },
    expected: (y) => [["out", outputs.out, Answer.answerOf(y as Layer.Value, layout)]]
  }
  return outcome(testCase, measured(testCase, measuring))
}
