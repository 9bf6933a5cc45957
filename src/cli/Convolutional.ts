/**
 * A convolutional network of small widths: the shape CNV of Brevitas's bnn-pynq examples, for small images with few channels.
 *
 * Room: cli (level 6). Imports: effect, `core`, `nn`, `./CommonQuant.ts`, `./Pieces.ts`.
 */
import { Effect, type Scope } from "effect"
import * as Rounding from "../core/Rounding.ts"
import * as Activation from "../nn/Activation.ts"
import * as Convolution from "../nn/Convolution.ts"
import type * as Layer from "../nn/Layer.ts"
import * as Linear from "../nn/Linear.ts"
import * as Model from "../nn/Model.ts"
import * as Normalization from "../nn/Normalization.ts"
import * as Pooling from "../nn/Pooling.ts"
import * as TensorNorm from "../nn/TensorNorm.ts"
import { CommonActQuant, CommonWeightQuant } from "./CommonQuant.ts"
import * as Pieces from "./Pieces.ts"

/** Convolutions of 3 x 3 without padding: their channels, and whether a maximum over 2 x 2 follows. */
const convolutions = [
  { channels: 16, pool: false },
  { channels: 16, pool: true },
  { channels: 32, pool: false },
  { channels: 32, pool: true },
  { channels: 64, pool: false }
]
const hidden = [128, 128]

/** How many pixels a side has after the convolutions. */
const sideAfter = (side: number): number =>
  convolutions.reduce((left, { pool }) => (pool ? Math.floor((left - 2) / 2) : left - 2), side)

/** The smallest side of an image from which something is left. */
export const smallest = 24

export interface Options extends Pieces.Widths {
  readonly height: number
  readonly width: number
  readonly seed: number
}

/** For each convolution and each linear layer: batch norm and quantized activation; the input has a step of 2^(1 - inputBits). */
export const make = (options: Options): Effect.Effect<Layer.Layer, Layer.BuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const { weightBits, actBits, inputBits, height, width, seed } = options
    const weights = {
      hasBias: false,
      weightQuant: CommonWeightQuant,
      weight: { bitWidth: weightBits },
      initialBound: 1
    }
    const activation = Activation.quantIdentity({ actQuant: CommonActQuant, act: { bitWidth: actBits } })
    const powerOfTwo = { restrictScalingType: "powerOfTwo", restrictValueFloatToIntImpl: Rounding.CeilSte } as const
    const act = { bitWidth: inputBits, narrowRange: false, ...powerOfTwo }
    const layers: Record<string, Layer.Layer> = {
      centre: Pieces.centre,
      input: yield* Activation.quantIdentity({ actQuant: CommonActQuant, act })
    }
    for (const [i, { channels, pool }] of convolutions.entries()) {
      const inChannels = convolutions[i - 1]?.channels ?? 1
      const shape = { inChannels, outChannels: channels, kernelSize: [3, 3] } as const
      layers[`conv${i + 1}`] = yield* Convolution.quantConv2d({ ...shape, ...weights, seed: seed + i })
      layers[`convNorm${i + 1}`] = yield* Normalization.batchNorm({ channels, epsilon: 1e-4 })
      layers[`convAct${i + 1}`] = yield* activation
      if (pool) layers[`pool${i + 1}`] = Pooling.maxPool2d({ size: [2, 2] })
    }
    layers.flatten = Model.flatten
    const features = sideAfter(height) * sideAfter(width) * (convolutions.at(-1)?.channels ?? 1)
    for (const [i, outFeatures] of hidden.entries()) {
      const shape = { inFeatures: hidden[i - 1] ?? features, outFeatures }
      layers[`fc${i + 1}`] = yield* Linear.quantLinear({ ...shape, ...weights, seed: seed + 10 + i })
      layers[`norm${i + 1}`] = yield* Normalization.batchNorm({ channels: outFeatures, epsilon: 1e-4 })
      layers[`act${i + 1}`] = yield* activation
    }
    const last = { inFeatures: hidden.at(-1) ?? features, outFeatures: 10 }
    layers.output = yield* Linear.quantLinear({ ...last, ...weights, seed: seed + 20 })
    layers.norm = yield* TensorNorm.tensorNorm()
    return Model.sequential(layers)
  })
