import { Batch, Loss, Metric, Optimizer, Random, Train } from "breve"
import { Effect, Stream } from "effect"
import { network, source } from "../training/network.ts"

/** Training as a stream of events: here the accuracy after each of three epochs. */
export const example = Effect.gen(function* () {
  const events = Train.run(yield* network, {
    optimizer: Optimizer.adam(0.02),
    loss: Loss.crossEntropy,
    epochs: 3,
    batches: (random) => Batch.stream(source, { batchSize: 20, random }),
    random: Random.make(7),
    validation: { batches: Batch.stream(source, { batchSize: 100 }), metrics: { accuracy: Metric.accuracy } }
  })
  const epochs = Stream.filter(events, (event) => event._tag === "EpochDone")
  return yield* Stream.runCollect(Stream.map(epochs, ({ metrics }) => metrics.accuracy))
})

export const shows = [0.7575, 0.825, 0.925]
