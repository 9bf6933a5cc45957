import { Batch, Loss, Optimizer, Parameters, Train } from "breve"
import { Effect, Stream } from "effect"
import { network } from "./network.ts"
import { options } from "./train.ts"

const lost = Batch.make(
  { shape: [1, 2], values: Float32Array.of(1, Number.NaN) },
  { shape: [1], values: Int32Array.of(0) }
)

/** What two trainings say that cannot go on. */
export const run = Effect.gen(function* () {
  const model = yield* network
  const misspelt = { ...options, optimizer: Parameters.freeze(Optimizer.sgd(0.1), "fc1.wieght") }
  const broken = { ...options, loss: Loss.crossEntropy, batches: () => Stream.make(lost) }
  const first = yield* Effect.flip(Stream.runDrain(Train.run(model, misspelt)))
  const second = yield* Effect.flip(Stream.runDrain(Train.run(model, broken)))
  return [first.message, second.message]
})
