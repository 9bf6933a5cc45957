import * as tf from "@tensorflow/tfjs-core"
import { Embedding, Layer, QuantTensor } from "breve"
import { Effect } from "effect"

/** Rows of a table of 4 bits, by their numbers. */
export const example = Effect.gen(function* () {
  const table = yield* Embedding.quantEmbedding({
    numEmbeddings: 10,
    embeddingDim: 3,
    weight: { bitWidth: 4 },
    seed: 1
  })
  const words = tf.tensor2d([[7, 0]], [1, 2], "int32")
  const y = yield* Layer.forward(table, words)
  const shape = QuantTensor.shapeOf(y)
  tf.dispose([words, ...QuantTensor.tensorsOf(y)])
  return shape
})

export const shows = [1, 2, 3]
