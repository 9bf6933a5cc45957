import * as tf from "@tensorflow/tfjs-core"
import { Activation, Dropout, Linear, Model, Normalization, TensorNorm } from "breve"
import { Effect } from "effect"
import { Act1, Act2, Weight1, Weight2 } from "./quantizers.ts"

type Weight = typeof Weight1
type Act = typeof Act1

/** 784 - size - size - size - 10: linear, batch norm, activation and dropout, three times; then linear and one norm for all. */
const network = (size: number, weightQuant: Weight, actQuant: Act, seed = 1) =>
  Effect.gen(function* () {
    const linear = (inFeatures: number, outFeatures: number, order: number) =>
      Linear.quantLinear({ inFeatures, outFeatures, hasBias: false, weightQuant, initialBound: 1, seed: seed + order })
    const norm = Normalization.batchNorm({ channels: size })
    const act = Activation.quantIdentity({ actQuant })
    const drop = (order: number) => Dropout.dropout({ probability: 0.2, seed: seed + order })
    return Model.sequential({
      flatten: Model.flatten,
      centre: Model.stateless("Centre", (x) => tf.sub(tf.mul(x, 2), 1)),
      input: yield* act,
      dropout0: yield* drop(0),
      fc1: yield* linear(784, size, 1),
      norm1: yield* norm,
      act1: yield* act,
      dropout1: yield* drop(1),
      fc2: yield* linear(size, size, 2),
      norm2: yield* norm,
      act2: yield* act,
      dropout2: yield* drop(2),
      fc3: yield* linear(size, size, 3),
      norm3: yield* norm,
      act3: yield* act,
      dropout3: yield* drop(3),
      output: yield* linear(size, 10, 4),
      norm: yield* TensorNorm.tensorNorm()
    })
  })

export const tfc1w1a = network(64, Weight1, Act1)
export const tfc1w2a = network(64, Weight1, Act2)
export const tfc2w2a = network(64, Weight2, Act2)
export const sfc1w1a = network(256, Weight1, Act1)
export const sfc2w2a = network(256, Weight2, Act2)
