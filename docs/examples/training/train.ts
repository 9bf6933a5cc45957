import { Batch, LearningRate, Loss, Metric, Optimizer, Random, Train } from "breve"
import { Effect, pipe, Stream } from "effect"
import { network, source } from "./network.ts"

export const options = {
  optimizer: Optimizer.adam(pipe(LearningRate.cosine({ from: 0.02, steps: 160 }), LearningRate.warmUp(8))),
  loss: Loss.crossEntropy,
  epochs: 8,
  batches: (random: Random.Random) => Batch.stream(source, { batchSize: 20, random }),
  random: Random.make(7)
}
const validation = { batches: Batch.stream(source, { batchSize: 100 }), metrics: { accuracy: Metric.accuracy } }

/** Trains, and answers one line for each epoch. */
export const run = Effect.gen(function* () {
  const model = yield* network
  return yield* Train.run(model, { ...options, validation }).pipe(
    Stream.filter((event) => event._tag === "EpochDone"),
    Stream.map(({ epoch, loss, metrics }) => {
      const percent = (100 * (metrics.accuracy ?? 0)).toFixed(0)
      return `epoch ${epoch}: loss ${loss.toFixed(1)}, ${percent} % right`
    }),
    Stream.runCollect
  )
})
