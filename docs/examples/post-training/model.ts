import * as tf from "@tensorflow/tfjs-core"
import { Activation, Linear, Model, Random, ScaledInt } from "breve"
import { Effect, Stream } from "effect"

/** Two layers of 4 bits; what they have learned in floats would come from a file. The scales are fixed: steps that round need that. */
export const network = Effect.gen(function* () {
  const weight = { bitWidth: 4, scalingImplType: "parameterFromStats" } as const
  const quantized = { weightQuant: ScaledInt.Int8WeightPerChannelFloat, weight } as const
  return Model.sequential({
    input: yield* Activation.quantIdentity(),
    fc1: yield* Linear.quantLinear({ inFeatures: 16, outFeatures: 32, seed: 1, ...quantized }),
    relu: yield* Activation.quantReLU(),
    fc2: yield* Linear.quantLinear({ inFeatures: 32, outFeatures: 4, seed: 2, ...quantized })
  })
})

/** Inputs whose features go together in pairs. */
export const inputs = (seed: number): tf.Tensor => {
  const x = Random.normal(Random.make(seed), 64 * 16, 0, 1)
  return tf.tensor2d(
    x.map((value, i) => (i % 2 === 1 ? (x[i - 1] as number) + 0.2 * value : value)),
    [64, 16]
  )
}

/** Functions that make a batch: a step calls them when it wants the batch, and disposes what they made. */
export const batches = Stream.make(...[1, 2, 3, 4].map((seed) => () => inputs(seed)))
