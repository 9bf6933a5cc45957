import { Classifier, Dataset, Digits, Linear, Model, Optimizer, Random } from "breve"
import { Effect } from "effect"

/** Trains a classifier of drawn digits for an epoch, and measures it on others: percent. */
export const example = Effect.gen(function* () {
  const digits = Digits.make(1, 600)
  const model = Model.sequential({
    flatten: Model.flatten,
    fc: yield* Linear.quantLinear({ inFeatures: 784, outFeatures: 10, weight: { bitWidth: 4 }, seed: 1 })
  })
  yield* Classifier.fit(model, Dataset.reader(Dataset.slice(digits, 0, 500)), {
    epochs: 2,
    batchSize: 50,
    optimizer: Optimizer.adam(0.01),
    random: Random.make(1),
    onStep: () => Effect.void
  })
  return yield* Classifier.accuracy(model, Dataset.reader(Dataset.slice(digits, 500, 600)))
})

export const shows = 75
