/**
 * The sequential models of the training cases: layers by their names in the reference, in breve's layouts.
 */
import { Effect, Result, type Scope } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Activation from "../../../../src/nn/Activation.ts"
import * as Convolution from "../../../../src/nn/Convolution.ts"
import type * as Layer from "../../../../src/nn/Layer.ts"
import * as Linear from "../../../../src/nn/Linear.ts"
import * as Model from "../../../../src/nn/Model.ts"
import type { Case } from "../../Case.ts"
import { optionsOf } from "../layers/Options.ts"

/** A layer as a case writes it. */
interface Written {
  readonly layer: string
  readonly args?: any
  readonly quantizers?: Readonly<Record<string, string | null>>
  readonly kwargs?: Readonly<Record<string, unknown>>
  readonly ret?: boolean
}

type Made = Effect.Effect<Layer.Layer, unknown, Scope.Scope>
type Make = (options: any) => Made

const optionsFor = (written: Written, roles: Parameters<typeof optionsOf>[1]): Readonly<Record<string, unknown>> => {
  const { quantizers = {}, kwargs, ret = false } = written
  return optionsOf({ config: { quantizers, kwargs, return_quant_tensor: ret } } as Case, roles)
}

const weightRoles = ["weight", "bias", "input", "output"] as const

const activation =
  (make: Make) =>
  (written: Written): Made =>
    make(optionsFor(written, ["act"]))

/** A layer without state. */
const pure = (kind: string, f: (x: Layer.Value) => Result.Result<Layer.Value, unknown>): Made =>
  Effect.succeed({ kind, cells: [], proxies: [], apply: (states, x) => [Result.getOrThrow(f(x)), states] })

const pair = (n: number): readonly [number, number] => [n, n]

const kinds: Readonly<Record<string, (written: Written) => Made>> = {
  QuantIdentity: activation(Activation.quantIdentity as Make),
  QuantReLU: activation(Activation.quantReLU as Make),
  QuantSigmoid: activation(Activation.quantSigmoid as Make),
  QuantLinear: (written) => {
    const { in_features, out_features, bias } = written.args
    return (Linear.quantLinear as Make)({
      inFeatures: in_features,
      outFeatures: out_features,
      hasBias: bias,
      ...optionsFor(written, weightRoles)
    })
  },
  QuantConv2d: (written) => {
    const { in_channels, out_channels, kernel_size, stride, padding, bias } = written.args
    return (Convolution.quantConv2d as Make)({
      inChannels: in_channels,
      outChannels: out_channels,
      kernelSize: pair(kernel_size),
      strides: pair(stride),
      padding,
      hasBias: bias,
      ...optionsFor(written, weightRoles)
    })
  },
  MaxPool2d: ({ layer, args }) => pure(layer, (x) => QuantTensor.maxPool2d(x, { size: pair(args.kernel_size) })),
  AvgPool2d: ({ layer, args }) => pure(layer, (x) => QuantTensor.avgPool2d(x, { size: pair(args.kernel_size) })),
  // the reference flattens channel by channel
  Flatten: ({ layer }) =>
    pure(layer, (x) => Result.map(QuantTensor.transpose(x, [0, 3, 1, 2]), (y) => QuantTensor.flatten(y)))
}

/** The names of the layers that breve does not have. */
export const unknownIn = (model: ReadonlyArray<Written>): ReadonlyArray<string> =>
  model.map(({ layer }) => layer).filter((layer) => !Object.hasOwn(kinds, layer))

/**
 * Whether rounding alone decides what an activation does in training: its two largest inputs are equal, or an input of a ReLU is 0,
 * but for the last bits.
 */
const isUndecided = (kind: string, x: Float32Array): boolean => {
  const sizes = Float32Array.from(x, (v) => (kind === "QuantReLU" ? Math.max(v, 0) : Math.abs(v))).sort()
  const [largest = 0, second = 0] = [sizes.at(-1), sizes.at(-2)]
  const near = 1e-6 * largest
  return largest - second <= near || (kind === "QuantReLU" && x.some((v) => Math.abs(v) <= near))
}

/** The layer that tells when its input leaves it undecided. */
const telling = (layer: Layer.Layer, tell: () => void): Layer.Layer => ({
  ...layer,
  apply: (states, x, mode) => {
    if (isUndecided(layer.kind, QuantTensor.dequantized(x).dataSync() as Float32Array)) tell()
    return layer.apply(states, x, mode)
  }
})

/** The model of a case; its layers are named by their places. `undecided` is told of activations that rounding alone decides. */
export const make = (model: ReadonlyArray<Written>, undecided: () => void): Made =>
  Effect.map(
    Effect.forEach(model, (written, i) =>
      Effect.map((kinds[written.layer] as (written: Written) => Made)(written), (layer) => {
        const isActivation = written.quantizers?.act !== undefined
        return [String(i), isActivation ? telling(layer, undecided) : layer] as const
      })
    ),
    (layers) => Model.sequential(Object.fromEntries(layers))
  )
