import * as tf from "@tensorflow/tfjs-core"
import { Linear, Optimizer, Trainer } from "breve"
import { Effect } from "effect"

/** Steps one by one, for a training loop of your own. */
export const example = Effect.gen(function* () {
  const layer = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1, weight: { bitWidth: 4 }, seed: 1 })
  const trainer = yield* Trainer.make(layer, Optimizer.sgd(0.1))
  const x = tf.tensor2d([[1, 2]])
  const step = Trainer.step(trainer, x, (y) => tf.mean(tf.square(tf.sub(y, 1))))
  const losses = [yield* step, yield* step, yield* step]
  x.dispose()
  return losses
})

export const shows = [2.36202, 0.0919696, 0.00224958]
