import * as tf from "@tensorflow/tfjs-core"
import { Linear, Normalization } from "breve"
import { Effect } from "effect"

/** Batch normalization, merged into the layer before it, which then does the work of both. */
export const example = Effect.gen(function* () {
  const layer = yield* Linear.quantLinear({ inFeatures: 1, outFeatures: 2, seed: 1 })
  const statistics = {
    weight: tf.tensor1d([2, 1]),
    bias: tf.tensor1d([0, 3]),
    runningMean: tf.tensor1d([0.5, 0]),
    runningVar: tf.tensor1d([1, 4])
  }
  const { adopted } = yield* Normalization.mergeInto(layer, statistics)
  tf.dispose(statistics)
  return adopted
})

export const shows = ["weight", "bias"]
