/**
 * Sums and concatenations.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Elementwise from "../../../../src/nn/Elementwise.ts"
import type * as Layer from "../../../../src/nn/Layer.ts"
import type { Case, Outcome } from "../../Case.ts"
import { tensorOf } from "../Core.ts"
import * as Answer from "./Answer.ts"
import * as Layout from "./Layout.ts"
import { inputOf, type Measuring, measured, outcome } from "./Measured.ts"
import { optionsOf } from "./Options.ts"

export const replay = (testCase: Case): Promise<Outcome> => {
  const { config, inputs, outputs } = testCase
  const training = config.mode === "train"
  const given = (written: any, training: boolean): ReadonlyArray<Layer.Value> =>
    written.map((one: any, i: number) => inputOf(testCase, one, Layout.asItIs, training, i))
  const x = given(inputs.x, training)
  const options = optionsOf(testCase, ["input", "output"]) as any
  const make: any =
    config.layer === "QuantCat"
      ? Elementwise.quantCat({ ...options, axis: config.call?.dim ?? 1 })
      : Elementwise.quantEltwiseAdd(options)
  const measuring: Measuring<ReadonlyArray<Layer.Value>> = {
    layer: make,
    parameters: {},
    calib: inputs.calib.map((one: any) => given(one, true)),
    x,
    training,
    variables: Object.fromEntries(x.map((one, i) => [`x${i}`, QuantTensor.dequantized(one)])),
    withVariables: (now) =>
      x.map((one, i) => {
        const value = now[`x${i}`] as tf.Tensor
        return QuantTensor.isQuantTensor(one) ? { ...one, value } : value
      }),
    losses: (y) => [[QuantTensor.dequantized(y as Layer.Value), tensorOf(inputs.upstream)]],
    layouts: {},
    expected: (y) => [["out", outputs.out, Answer.answerOf(y as Layer.Value, Layout.asItIs)]]
  }
  return outcome(testCase, measured(testCase, measuring))
}
