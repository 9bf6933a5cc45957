/**
 * The two networks that quantizers are compared on, float or quantized by a scheme: linear layers, and convolutions before them.
 *
 * Quantized, quant tensors run from layer to layer, so that biases lie on the grid of their sums: whatever is trained can leave as
 * integers.
 *
 * Room: cli (level 6). Imports: effect, `nn`, `quant`, `./Schemes.ts`.
 */
import { Effect, type Scope } from "effect"
import * as Activation from "../nn/Activation.ts"
import * as Convolution from "../nn/Convolution.ts"
import type * as Layer from "../nn/Layer.ts"
import * as Linear from "../nn/Linear.ts"
import * as Model from "../nn/Model.ts"
import type * as Weighted from "../nn/Weighted.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import type { Scheme } from "./Schemes.ts"

/** The network as one layer, and its layers with weights by name. */
export interface Network {
  readonly model: Layer.Layer
  readonly weighted: Readonly<Record<string, Weighted.Weighted>>
}

/** The sizes of the images that a network takes, `[n, height, width, 1]`. */
export interface Image {
  readonly height: number
  readonly width: number
}

/** All versions name their state alike, so a float state loads into a quantized network. */
export type Make = (
  scheme: Scheme | undefined,
  image: Image,
  seed: number
) => Effect.Effect<Network, Layer.BuildError, Scope.Scope>

/** What the layers of a scheme have in common. */
const parts = (scheme: Scheme | undefined) => {
  const returnQuantTensor = scheme !== undefined
  return {
    input: Activation.quantIdentity({ actQuant: scheme?.input ?? null, returnQuantTensor }),
    relu: Activation.quantReLU({ actQuant: scheme?.activation ?? null, returnQuantTensor }),
    learned: {
      weightQuant: scheme?.weight ?? null,
      biasQuant: scheme === undefined ? null : ScaledInt.Int32Bias
    }
  }
}

/** Three linear layers. */
export const mlp: Make = (scheme, { height, width }, seed) =>
  Effect.gen(function* () {
    const { input, relu, learned } = parts(scheme)
    const fc = (inFeatures: number, outFeatures: number, order: number) =>
      Linear.quantLinear({ inFeatures, outFeatures, ...learned, seed: seed + order })
    const weighted = {
      fc1: yield* fc(height * width, 128, 1),
      fc2: yield* fc(128, 64, 2),
      fc3: yield* fc(64, 10, 3)
    }
    const { fc1, fc2, fc3 } = weighted
    const layers = {
      input: yield* input,
      flatten: Model.flatten,
      fc1,
      relu1: yield* relu,
      fc2,
      relu2: yield* relu,
      fc3
    }
    return { model: Model.sequential(layers), weighted }
  })

/** Two convolutions and two linear layers. */
export const cnn: Make = (scheme, { height, width }, seed) =>
  Effect.gen(function* () {
    const { input, relu, learned } = parts(scheme)
    const conv = (inChannels: number, outChannels: number, order: number) =>
      Convolution.quantConv2d({
        inChannels,
        outChannels,
        kernelSize: [3, 3],
        strides: [2, 2],
        padding: "same",
        ...learned,
        seed: seed + order
      })
    const reduced = (side: number): number => Math.ceil(Math.ceil(side / 2) / 2)
    const inFeatures = reduced(height) * reduced(width) * 16
    const weighted = {
      conv1: yield* conv(1, 8, 1),
      conv2: yield* conv(8, 16, 2),
      fc1: yield* Linear.quantLinear({ inFeatures, outFeatures: 64, ...learned, seed: seed + 3 }),
      fc2: yield* Linear.quantLinear({ inFeatures: 64, outFeatures: 10, ...learned, seed: seed + 4 })
    }
    const { conv1, conv2, fc1, fc2 } = weighted
    const model = Model.sequential({
      input: yield* input,
      conv1,
      relu1: yield* relu,
      conv2,
      relu2: yield* relu,
      flatten: Model.flatten,
      fc1,
      relu3: yield* relu,
      fc2
    })
    return { model, weighted }
  })

/** Both by the names that begin those of their networks. */
export const shapes = { mlp, cnn } as const

export type Shape = keyof typeof shapes
