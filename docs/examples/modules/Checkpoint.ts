import * as tf from "@tensorflow/tfjs-core"
import { Checkpoint, Linear, Optimizer, Random, Trainer } from "breve"
import { Effect } from "effect"

/** All that a training needs to go on, as one value; a training that goes on from it gives the same bits. */
export const example = Effect.gen(function* () {
  const layer = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1, seed: 1 })
  const trainer = yield* Trainer.make(layer, Optimizer.sgd(0.1, { momentum: 0.9 }))
  const x = tf.tensor2d([[1, 2]])
  const step = Trainer.step(trainer, x, (y) => tf.mean(tf.square(y)))
  yield* step
  const saved = yield* Checkpoint.take(trainer, Checkpoint.beginning(Random.make(1)))
  const losses = [yield* step, yield* step]
  yield* Checkpoint.restore(trainer, saved)
  const again = [yield* step, yield* step]
  x.dispose()
  return { again: losses.every((loss, i) => loss === again[i]) }
})

export const shows = { again: true }
