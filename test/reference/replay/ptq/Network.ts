/**
 * The models of the cases about steps after training: lists of layers by their names in the reference, in breve's layouts.
 */

import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result, type Scope } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Activation from "../../../../src/nn/Activation.ts"
import * as Convolution from "../../../../src/nn/Convolution.ts"
import type * as Layer from "../../../../src/nn/Layer.ts"
import * as LayerNorm from "../../../../src/nn/LayerNorm.ts"
import * as Linear from "../../../../src/nn/Linear.ts"
import * as Model from "../../../../src/nn/Model.ts"
import * as Normalization from "../../../../src/nn/Normalization.ts"
import * as Pooling from "../../../../src/nn/Pooling.ts"
import * as State from "../../../../src/nn/State.ts"
import * as TransposedConvolution from "../../../../src/nn/TransposedConvolution.ts"
import type { Case } from "../../Case.ts"
import { tensorOf } from "../Core.ts"
import * as Layout from "../layers/Layout.ts"
import { optionsOf } from "../layers/Options.ts"
import { camelOf } from "../quantizers/Names.ts"

/** A layer as a case writes it. */
export interface Written {
  readonly layer: string
  readonly args?: any
  readonly quantizers?: Readonly<Record<string, string | null>>
  readonly kwargs?: any
  readonly ret?: boolean
}

type Made = Effect.Effect<Layer.Layer, unknown, Scope.Scope>
type Make = (options: any) => Made

const optionsFor = (written: Written, roles: Parameters<typeof optionsOf>[1]): Readonly<Record<string, unknown>> => {
  const { quantizers = {}, kwargs, ret = false } = written
  return optionsOf({ config: { quantizers, kwargs, return_quant_tensor: ret } } as Case, roles)
}

/** A layer that the reference writes without quantizers has none, where one with a weight has one by default. */
const weightOptions = (written: Written): Readonly<Record<string, unknown>> =>
  written.layer.startsWith("Quant") ? optionsFor(written, ["weight", "bias", "input", "output"]) : { weightQuant: null }

const activation =
  (make: unknown) =>
  (written: Written): Made => {
    const { min_val: minVal, max_val: maxVal } = written.kwargs ?? {}
    const bounds = written.layer === "QuantHardTanh" && minVal !== undefined ? { minVal, maxVal } : {}
    return (make as Make)({ ...optionsFor(written, ["act"]), ...bounds })
  }

const pure = (kind: string, f: (x: Layer.Value) => Result.Result<Layer.Value, unknown>): Made =>
  Effect.succeed({ kind, cells: [], proxies: [], apply: (states, x) => [Result.getOrThrow(f(x)), states] })

const pair = (n: number): readonly [number, number] => [n, n]

const convolution =
  (make: unknown, axes = 2) =>
  (written: Written): Made => {
    const each = (n: number): ReadonlyArray<number> => Array.from({ length: axes }, () => n)
    const { in_channels, out_channels, kernel_size, stride = 1, padding = 0, bias = true, groups = 1 } = written.args
    const options = {
      inChannels: in_channels,
      outChannels: out_channels,
      kernelSize: each(kernel_size),
      strides: each(stride),
      padding,
      hasBias: bias,
      groups
    }
    return (make as Make)({ ...options, ...weightOptions(written) })
  }

const linear = (written: Written): Made => {
  const { in_features, out_features, bias = true } = written.args
  const options = { inFeatures: in_features, outFeatures: out_features, hasBias: bias }
  return (Linear.quantLinear as Make)({ ...options, ...weightOptions(written) })
}

const batchNorm = ({ args }: Written): Made =>
  (Normalization.batchNorm as unknown as Make)({ channels: args.num_features })

const kinds: Readonly<Record<string, (written: Written) => Made>> = {
  QuantIdentity: activation(Activation.quantIdentity),
  QuantReLU: activation(Activation.quantReLU),
  QuantSigmoid: activation(Activation.quantSigmoid),
  QuantHardTanh: activation(Activation.quantHardTanh),
  QuantLinear: linear,
  Linear: linear,
  QuantConv2d: convolution(Convolution.quantConv2d),
  Conv1d: convolution(Convolution.quantConv1d, 1),
  Conv2d: convolution(Convolution.quantConv2d),
  QuantConvTranspose2d: convolution(TransposedConvolution.quantConvTranspose2d),
  ConvTranspose2d: convolution(TransposedConvolution.quantConvTranspose2d),
  BatchNorm1d: batchNorm,
  BatchNorm2d: batchNorm,
  LayerNorm: ({ args }) => (LayerNorm.layerNorm as unknown as Make)({ channels: args.num_features }),
  ReLU: () => Effect.succeed(Model.relu),
  Tanh: () => Effect.succeed(Model.stateless("Tanh", tf.tanh, { op: "tanh" })),
  MaxPool2d: ({ args }) => Effect.succeed(Pooling.maxPool2d({ size: pair(args.kernel_size) })),
  // the reference flattens channel by channel
  Flatten: ({ layer }) =>
    pure(layer, (x) => Result.map(QuantTensor.transpose(x, [0, 3, 1, 2]), (y) => QuantTensor.flatten(y)))
}

/** The layer that is written so. */
export const layer = (written: Written): Made => (kinds[written.layer] as (written: Written) => Made)(written)

/** The names of the layers that are not built here. */
export const unknownIn = (model: unknown): ReadonlyArray<string> =>
  Array.isArray(model)
    ? (model as ReadonlyArray<Written>).map(({ layer }) => layer).filter((layer) => !Object.hasOwn(kinds, layer))
    : ["that is written in words"]

/** How the weight of a layer lies. */
export const layoutOf = (model: ReadonlyArray<Written>, name: string): Layout.Layout => {
  const layer = model[Number(name.split(".")[0])]?.layer ?? ""
  return layer.includes("Transpose") ? Layout.transposedOutput : Layout.outputLast
}

/** A parameter of the reference in breve's layout. */
export const ours = (model: ReadonlyArray<Written>, name: string, written: any): tf.Tensor => {
  const x = tensorOf(written)
  return x.rank > 1 ? Layout.ours(layoutOf(model, name), x) : x
}

/** The model of a case with its parameters; its layers are named by their places. */
export const make = (testCase: Case): Effect.Effect<Model.Composed, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const model: ReadonlyArray<Written> = testCase.config.model
    const layers = yield* Effect.forEach(model, (written, i) =>
      Effect.map(layer(written), (one) => [String(i), one] as const)
    )
    const made = Model.sequential(Object.fromEntries(layers))
    const given = Object.entries(testCase.inputs.params).map(
      ([name, written]) => [camelOf(name), ours(model, name, written)] as const
    )
    yield* State.load(made, Object.fromEntries(given), "report")
    return made
  })

/** An input or output of the reference, channels last. */
export const image = (written: any): tf.Tensor => Layout.ours(Layout.channelsLast, tensorOf(written))

export const channelsLast = Layout.channelsLast

/** An output in the layout of the reference. */
export const back = (x: tf.Tensor): tf.Tensor => Layout.theirs(Layout.channelsLast, x)
