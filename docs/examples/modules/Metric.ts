import { Batch, Metric, Model } from "breve"
import { Effect } from "effect"

/** The accuracy of a model over all samples of a stream of batches, of whatever sizes. */
export const example = Effect.gen(function* () {
  const source = Batch.source(
    { shape: [3, 2], values: Float32Array.of(1, 0, 0, 1, 0.2, 0.9) },
    { shape: [3], values: Int32Array.of(0, 1, 0) }
  )
  return yield* Metric.evaluate(Model.identity, Batch.stream(source, { batchSize: 2 }), { accuracy: Metric.accuracy })
})

export const shows = { accuracy: 0.666667 }
