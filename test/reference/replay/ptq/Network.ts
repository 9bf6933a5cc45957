/**
 * The models of the cases about steps after training: lists of layers by their names in the reference, in breve's layouts.
 */

import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result, type Scope } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Activation from "../../../../src/nn/Activation.ts"
import * as Dropout from "../../../../src/nn/Dropout.ts"
import type * as Layer from "../../../../src/nn/Layer.ts"
import * as LayerNorm from "../../../../src/nn/LayerNorm.ts"
import * as Model from "../../../../src/nn/Model.ts"
import * as Normalization from "../../../../src/nn/Normalization.ts"
import * as Pooling from "../../../../src/nn/Pooling.ts"
import * as State from "../../../../src/nn/State.ts"
import type { Case } from "../../Case.ts"
import { tensorOf } from "../Core.ts"
import * as Layout from "../layers/Layout.ts"
import { optionsOf } from "../layers/Options.ts"
import { layerOf } from "../layers/Weighted.ts"
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

/** A linear or convolutional layer, float or quantized. */
const weighted = (written: Written): Made => {
  const layer = `Quant${bareOf(written.layer)}`
  const args = { bias: true, ...written.args }
  return layerOf({ config: { layer, args } } as Case).make(weightOptions(written))
}

const batchNorm = ({ args }: Written): Made =>
  (Normalization.batchNorm as unknown as Make)({ channels: args.num_features })

const stateless = (kind: string, f: (x: tf.Tensor) => tf.Tensor, op?: "sigmoid" | "tanh"): (() => Made) => {
  const layer = Model.stateless(kind, f, op && { op })
  return () => Effect.succeed(layer)
}

const kinds: Readonly<Record<string, (written: Written) => Made>> = {
  QuantIdentity: activation(Activation.quantIdentity),
  QuantReLU: activation(Activation.quantReLU),
  QuantSigmoid: activation(Activation.quantSigmoid),
  QuantTanh: activation(Activation.quantTanh),
  QuantHardTanh: activation(Activation.quantHardTanh),
  LayerNorm: ({ args }) => (LayerNorm.layerNorm as unknown as Make)({ channels: args.num_features }),
  Identity: () => Effect.succeed(Model.identity),
  ReLU: () => Effect.succeed(Model.relu),
  Sigmoid: stateless("Sigmoid", tf.sigmoid, "sigmoid"),
  Tanh: stateless("Tanh", tf.tanh, "tanh"),
  Dropout: () => Dropout.dropout(),
  MaxPool2d: ({ args }) => Effect.succeed(Pooling.maxPool2d({ size: pair(args.kernel_size) })),
  AvgPool2d: ({ args }) => Effect.succeed(Pooling.avgPool2d({ size: pair(args.kernel_size) })),
  // the reference flattens channel by channel
  Flatten: ({ layer }) =>
    pure(layer, (x) => {
      const last = QuantTensor.dequantized(x).rank - 1
      const axes = [0, last, ...Array.from({ length: last - 1 }, (_, i) => i + 1)]
      return Result.map(QuantTensor.transpose(x, axes), (y) => QuantTensor.flatten(y))
    })
}

const bareOf = (layer: string): string => layer.replace(/^Quant/, "")

/** How a layer of this name is made. */
const kindOf = (layer: string): ((written: Written) => Made) | undefined =>
  /^(Linear|Conv(Transpose)?[123]d)$/.test(bareOf(layer))
    ? weighted
    : /^BatchNorm[123]d$/.test(layer)
      ? batchNorm
      : Object.hasOwn(kinds, layer)
        ? kinds[layer]
        : undefined

/** The layer that is written so. */
export const layer = (written: Written): Made => (kindOf(written.layer) as (written: Written) => Made)(written)

/** The names of the layers that are not built here. */
export const unknownIn = (model: unknown): ReadonlyArray<string> =>
  Array.isArray(model)
    ? (model as ReadonlyArray<Written>).map(({ layer }) => layer).filter((layer) => kindOf(layer) === undefined)
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
