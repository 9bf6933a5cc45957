/**
 * Linear and convolutional layers.
 */
import type * as tf from "@tensorflow/tfjs-core"
import type { Effect, Scope } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import type * as Layer from "../../../../src/nn/Layer.ts"
import * as Linear from "../../../../src/nn/Linear.ts"
import { type Case, type Outcome, unsupported } from "../../Case.ts"
import { tensorOf } from "../Core.ts"
import { camelOf } from "../quantizers/Names.ts"
import * as Answer from "./Answer.ts"
import * as Layout from "./Layout.ts"
import { inputOf, type Measuring, measured, outcome } from "./Measured.ts"
import { optionsOf } from "./Options.ts"

type Make = (options: any) => Effect.Effect<Layer.Layer, unknown, Scope.Scope>

/** The layers by their names in the reference; each with the layout of its weight, and of its input and output. */
const layers: Readonly<
  Record<string, { readonly make: Make; readonly weight: Layout.Layout; readonly data: Layout.Layout }>
> = {
  QuantLinear: { make: Linear.quantLinear as Make, weight: Layout.outputLast, data: Layout.asItIs }
}

const argsOf = (args: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const { bias, ...rest } = args
  return { ...Object.fromEntries(Object.entries(rest).map(([name, value]) => [camelOf(name), value])), hasBias: bias }
}

export const replay = (testCase: Case): Promise<Outcome> | Outcome => {
  const { config, inputs, outputs } = testCase
  const known = layers[config.layer]
  if (known === undefined) return unsupported(`no layer ${config.layer}`)
  const training = config.mode === "train"
  const given = (written: any, training: boolean): Layer.Value => inputOf(testCase, written, known.data, training)
  const x = given(inputs.x, training)
  const upstream = Layout.ours(known.data, tensorOf(inputs.upstream))
  const measuring: Measuring<Layer.Value> = {
    layer: known.make({ ...argsOf(config.args), ...optionsOf(testCase, ["weight", "bias", "input", "output"]) }),
    parameters: {
      weight: Layout.ours(known.weight, tensorOf(inputs.weight)),
      ...(inputs.bias !== undefined && { bias: tensorOf(inputs.bias) })
    },
    calib: inputs.calib.map((one: any) => given(one, true)),
    x,
    training,
    variables: { x: QuantTensor.dequantized(x) },
    withVariables: ({ x: now }) =>
      QuantTensor.isQuantTensor(x) ? { ...x, value: now as tf.Tensor } : (now as tf.Tensor),
    losses: (y) => [[QuantTensor.dequantized(y as Layer.Value), upstream]],
    layouts: { x: known.data, weight: known.weight },
    expected: (y) => [["out", outputs.out, Answer.answerOf(y as Layer.Value, known.data)]]
  }
  return outcome(measured(testCase, measuring))
}
