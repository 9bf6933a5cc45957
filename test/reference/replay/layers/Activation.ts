/**
 * Activations.
 */
import type * as tf from "@tensorflow/tfjs-core"
import type { Effect, Scope } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Activation from "../../../../src/nn/Activation.ts"
import type * as Layer from "../../../../src/nn/Layer.ts"
import { type Case, type Outcome, unsupported } from "../../Case.ts"
import { tensorOf } from "../Core.ts"
import * as Answer from "./Answer.ts"
import * as Layout from "./Layout.ts"
import { inputOf, type Measuring, measured, outcome } from "./Measured.ts"
import { optionsOf } from "./Options.ts"

type Make = (options: any) => Effect.Effect<Layer.Layer, unknown, Scope.Scope>

const layers: Readonly<Record<string, Make>> = {
  QuantIdentity: Activation.quantIdentity as Make,
  QuantReLU: Activation.quantReLU as Make,
  QuantHardTanh: Activation.quantHardTanh as Make,
  QuantSigmoid: Activation.quantSigmoid as Make,
  QuantTanh: Activation.quantTanh as Make
}

export const replay = (testCase: Case): Promise<Outcome> | Outcome => {
  const { config, inputs, outputs } = testCase
  const make = layers[config.layer]
  if (make === undefined) return unsupported(`no activation ${config.layer}`)
  const training = config.mode === "train"
  const given = (written: any, training: boolean): Layer.Value => inputOf(testCase, written, Layout.asItIs, training)
  const x = given(inputs.x, training)
  const { min_val: minVal, max_val: maxVal } = config.kwargs
  const bounds = config.layer === "QuantHardTanh" && minVal !== undefined ? { minVal, maxVal } : {}
  const measuring: Measuring<Layer.Value> = {
    layer: make({ ...optionsOf(testCase, ["act", "input"]), ...bounds }),
    parameters: {},
    calib: inputs.calib.map((one: any) => given(one, true)),
    x,
    training,
    variables: { x: QuantTensor.dequantized(x) },
    withVariables: ({ x: now }) =>
      QuantTensor.isQuantTensor(x) ? { ...x, value: now as tf.Tensor } : (now as tf.Tensor),
    losses: (y) => [[QuantTensor.dequantized(y as Layer.Value), tensorOf(inputs.upstream)]],
    layouts: {},
    expected: (y) => [["out", outputs.out, Answer.answerOf(y as Layer.Value, Layout.asItIs)]]
  }
  return outcome(testCase, measured(testCase, measuring))
}
