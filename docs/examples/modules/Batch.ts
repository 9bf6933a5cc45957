import * as tf from "@tensorflow/tfjs-core"
import { Batch, Random } from "breve"
import { Effect, Stream } from "effect"

/** Ten samples in batches of four, in an order drawn from a seed. A batch owns no tensors: it makes them when a step wants them. */
export const example = Effect.gen(function* () {
  const source = Batch.source(
    { shape: [10, 2], values: new Float32Array(20) },
    { shape: [10], values: Int32Array.from({ length: 10 }, (_, i) => i) }
  )
  const batches = yield* Stream.runCollect(Batch.stream(source, { batchSize: 4, random: Random.make(1) }))
  return tf.tidy(() => batches.map((batch) => [...batch.tensors().target.dataSync()]))
})

export const shows = [
  [8, 2, 1, 0],
  [7, 4, 3, 5],
  [9, 6]
]
