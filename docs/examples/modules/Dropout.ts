import * as tf from "@tensorflow/tfjs-core"
import { Dropout, Layer } from "breve"
import { Effect } from "effect"

/** In training some values become 0 and the others grow; in evaluation nothing happens. */
export const example = Effect.gen(function* () {
  const dropout = yield* Dropout.dropout({ probability: 0.5, seed: 1 })
  const x = tf.ones([6])
  const training = yield* Layer.forward(dropout, x, Layer.training)
  const evaluation = yield* Layer.forward(dropout, x)
  x.dispose()
  return { training, evaluation }
})

export const shows = { training: [2, 2, 2, 0, 2, 0], evaluation: [1, 1, 1, 1, 1, 1] }
