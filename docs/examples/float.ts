import * as tf from "@tensorflow/tfjs-core"
import { Calibrate, Linear, Model, Noise, Normalization, type Ptq, Quantize, Random, State } from "breve"
import { Effect, pipe, Stream } from "effect"

/** The shape of an input. */
export const input = [1, 16]

/** A float network. Some of its channels are 64 times larger than others, for which the layer after them makes up. */
export const network = Effect.gen(function* () {
  const model = Model.sequential({
    fc1: yield* Linear.quantLinear({ inFeatures: 16, outFeatures: 8, weightQuant: null, seed: 1 }),
    norm: yield* Normalization.batchNorm({ channels: 8 }),
    relu: Model.relu,
    fc2: yield* Linear.quantLinear({ inFeatures: 8, outFeatures: 4, weightQuant: null, seed: 2 })
  })
  const { "fc2.weight": weight } = yield* State.parameters(model)
  const planted = tf.tidy(() => {
    const sizes = tf.tensor1d([8, 8, 8, 8, 0.125, 0.125, 0.125, 0.125])
    return { "norm.weight": sizes, "fc2.weight": tf.div(weight as tf.Tensor, tf.expandDims(sizes, 1)) }
  })
  yield* State.load(model, planted, "report")
  tf.dispose(planted)
  return model
})

/** Functions that make a batch: a step calls them when it wants the batch, and disposes what they made. */
export const batches = Stream.make(
  ...[1, 2].map((seed) => () => tf.tensor2d(Random.normal(Random.make(seed), 64 * 16, 0.5, 1), [64, 16]))
)

/** What is left of the answers of a float network when it, or what was prepared of it, is quantized to 8 bits: in decibels. */
export const decibels = (float: Ptq.Model, prepared: Ptq.Model = float) =>
  Effect.gen(function* () {
    const quantized = yield* pipe(prepared, Quantize.quantize({ input }), Effect.flatMap(Calibrate.calibrate(batches)))
    return Noise.shown(yield* Noise.between(float, quantized, batches))
  })
