/**
 * Fully connected networks of small widths: the shapes TFC and SFC of Brevitas's bnn-pynq examples.
 *
 * Room: cli (level 6). Imports: effect, `nn`, `./CommonQuant.ts`, `./Pieces.ts`.
 */
import { Effect, type Scope } from "effect"
import * as Activation from "../nn/Activation.ts"
import * as Dropout from "../nn/Dropout.ts"
import type * as Layer from "../nn/Layer.ts"
import * as Linear from "../nn/Linear.ts"
import * as Model from "../nn/Model.ts"
import * as Normalization from "../nn/Normalization.ts"
import * as TensorNorm from "../nn/TensorNorm.ts"
import { CommonActQuant, CommonWeightQuant } from "./CommonQuant.ts"
import * as Pieces from "./Pieces.ts"

export interface Options extends Pieces.Widths {
  /** how many values an image has */
  readonly inFeatures: number
  /** the sizes of the hidden layers */
  readonly hidden: ReadonlyArray<number>
  readonly seed: number
}

/** Dropout, quantized input, and for each hidden layer: linear, batch norm, quantized activation, dropout. */
export const make = (options: Options): Effect.Effect<Layer.Layer, Layer.BuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const { weightBits, actBits, inputBits, inFeatures, hidden, seed } = options
    const linear = (from: number, to: number, order: number) =>
      Linear.quantLinear({
        inFeatures: from,
        outFeatures: to,
        hasBias: false,
        weightQuant: CommonWeightQuant,
        weight: { bitWidth: weightBits },
        initialBound: 1,
        seed: seed + order
      })
    const sign = (bitWidth: number) => Activation.quantIdentity({ actQuant: CommonActQuant, act: { bitWidth } })
    const drop = (order: number) => Dropout.dropout({ probability: 0.2, seed: seed + order })
    const layers: Record<string, Layer.Layer> = {
      flatten: Model.flatten,
      centre: Pieces.centre,
      input: yield* sign(inputBits),
      dropout0: yield* drop(0)
    }
    for (const [i, size] of hidden.entries()) {
      layers[`fc${i + 1}`] = yield* linear(hidden[i - 1] ?? inFeatures, size, i + 1)
      layers[`norm${i + 1}`] = yield* Normalization.batchNorm({ channels: size })
      layers[`act${i + 1}`] = yield* sign(actBits)
      layers[`dropout${i + 1}`] = yield* drop(i + 1)
    }
    layers.output = yield* linear(hidden.at(-1) ?? inFeatures, 10, hidden.length + 1)
    layers.norm = yield* TensorNorm.tensorNorm()
    return Model.sequential(layers)
  })
