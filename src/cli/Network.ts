/**
 * The network of the training command: two convolutions and two linear layers, float or quantized by a scheme.
 *
 * Room: cli (level 6). Imports: effect, `nn`, `./Schemes.ts`.
 */
import { Effect, type Scope } from "effect"
import * as Activation from "../nn/Activation.ts"
import * as Convolution from "../nn/Convolution.ts"
import type * as Layer from "../nn/Layer.ts"
import * as Linear from "../nn/Linear.ts"
import * as Model from "../nn/Model.ts"
import type * as Weighted from "../nn/Weighted.ts"
import type { Scheme } from "./Schemes.ts"

/** The network as one layer, and its layers with weights by name. */
export interface Network {
  readonly model: Layer.Layer
  readonly weighted: Readonly<Record<string, Weighted.Weighted>>
}

/** Both versions name their state alike, so a float state loads into a quantized network. */
export const make = (
  scheme: Scheme | undefined,
  side: number,
  seed: number
): Effect.Effect<Network, Layer.BuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const weightQuant = scheme?.weight ?? null
    const actQuant = scheme?.activation ?? null
    const relu = Activation.quantReLU({ actQuant })
    const conv = (inChannels: number, outChannels: number, order: number) =>
      Convolution.quantConv2d({
        inChannels,
        outChannels,
        kernelSize: [3, 3],
        strides: [2, 2],
        padding: "same",
        weightQuant,
        seed: seed + order
      })
    const reduced = Math.ceil(Math.ceil(side / 2) / 2)
    const conv1 = yield* conv(1, 8, 1)
    const conv2 = yield* conv(8, 16, 2)
    const fc1 = yield* Linear.quantLinear({
      inFeatures: reduced ** 2 * 16,
      outFeatures: 64,
      weightQuant,
      seed: seed + 3
    })
    const fc2 = yield* Linear.quantLinear({ inFeatures: 64, outFeatures: 10, weightQuant, seed: seed + 4 })
    const model = Model.sequential({
      input: yield* Activation.quantIdentity({ actQuant: scheme?.input ?? null }),
      conv1,
      relu1: yield* relu,
      conv2,
      relu2: yield* relu,
      flatten: Model.flatten,
      fc1,
      relu3: yield* relu,
      fc2
    })
    return { model, weighted: { conv1, conv2, fc1, fc2 } }
  })
