/**
 * Linear and convolutional layers.
 */
import type * as tf from "@tensorflow/tfjs-core"
import type { Effect, Scope } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Convolution from "../../../../src/nn/Convolution.ts"
import type * as Layer from "../../../../src/nn/Layer.ts"
import * as Linear from "../../../../src/nn/Linear.ts"
import * as TransposedConvolution from "../../../../src/nn/TransposedConvolution.ts"
import { type Case, type Outcome, unsupported } from "../../Case.ts"
import { tensorOf } from "../Core.ts"
import { camelOf } from "../quantizers/Names.ts"
import * as Answer from "./Answer.ts"
import * as Layout from "./Layout.ts"
import { inputOf, type Measuring, measured, outcome } from "./Measured.ts"
import { optionsOf } from "./Options.ts"

type Make = (options: any) => Effect.Effect<Layer.Layer, unknown, Scope.Scope>

const transposed = (make: unknown) => ({
  make: make as Make,
  weight: Layout.transposedOutput,
  data: Layout.channelsLast
})

/** The layers by their names in the reference; each with the layout of its weight, and of its input and output. */
const layers: Readonly<
  Record<string, { readonly make: Make; readonly weight: Layout.Layout; readonly data: Layout.Layout }>
> = {
  QuantConv1d: { make: Convolution.quantConv1d as Make, weight: Layout.outputLast, data: Layout.channelsLast },
  QuantConv2d: { make: Convolution.quantConv2d as Make, weight: Layout.outputLast, data: Layout.channelsLast },
  QuantConv3d: { make: Convolution.quantConv3d as Make, weight: Layout.outputLast, data: Layout.channelsLast },
  QuantConvTranspose1d: transposed(TransposedConvolution.quantConvTranspose1d),
  QuantConvTranspose2d: transposed(TransposedConvolution.quantConvTranspose2d),
  QuantConvTranspose3d: transposed(TransposedConvolution.quantConvTranspose3d),
  QuantLinear: { make: Linear.quantLinear as Make, weight: Layout.outputLast, data: Layout.asItIs }
}

/** How many axes windows have. */
const axesOf = (layer: string): number => Number(/(\d)d$/.exec(layer)?.[1] ?? 0)

/** One number stands for all axes. */
const each = (axes: number, x: any): any => (typeof x === "number" ? Array.from({ length: axes }, () => x) : x)

/** The options of windows; paddings of axes are the same before and after. */
const windowsOf = (axes: number, { kernel_size, stride = 1, dilation = 1, padding = 0, output_padding }: any) => ({
  kernelSize: each(axes, kernel_size),
  strides: each(axes, stride),
  dilations: each(axes, dilation),
  padding: Array.isArray(padding) ? padding.map((p) => [p, p]) : padding,
  ...(output_padding !== undefined && { outputPadding: each(axes, output_padding) })
})

const argsOf = (layer: string, args: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const { bias, kernel_size, stride, dilation, padding, output_padding, ...rest } = args
  const windows = kernel_size === undefined ? {} : windowsOf(axesOf(layer), args)
  return {
    ...windows,
    ...Object.fromEntries(Object.entries(rest).map(([name, value]) => [camelOf(name), value])),
    hasBias: bias
  }
}

/** How a case's layer is made, from options, and how its weight and its data lie. */
export const layerOf = ({
  config
}: Case): { readonly make: Make; readonly weight: Layout.Layout; readonly data: Layout.Layout } => {
  const known = layers[config.layer]
  if (known === undefined) throw new Error(`no layer ${config.layer}`)
  return { ...known, make: (options) => known.make({ ...argsOf(config.layer, config.args), ...options }) }
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
    layer: known.make({
      ...argsOf(config.layer, config.args),
      ...optionsOf(testCase, ["weight", "bias", "input", "output"])
    }),
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
  return outcome(testCase, measured(testCase, measuring))
}
