import * as tf from "@tensorflow/tfjs-core"
import { Linear, Optimizer, Trainer } from "breve"
import { Effect } from "effect"
import { Int4WeightSpread } from "./quantizer.ts"

/** Trains a layer for two steps; answers the loss before each, and after both. */
export const run = (x: tf.Tensor, target: tf.Tensor) =>
  Effect.gen(function* () {
    const linear = yield* Linear.quantLinear({
      inFeatures: 4,
      outFeatures: 2,
      weightQuant: Int4WeightSpread,
      weight: { bitWidth: 6 }, // of this layer alone
      seed: 1
    })
    const trainer = yield* Trainer.make(linear, Optimizer.sgd(0.1))
    const step = Trainer.step(trainer, x, (y) => tf.mean(tf.squaredDifference(y, target)))
    return [yield* step, yield* step, yield* step] as const
  })
