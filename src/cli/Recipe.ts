/**
 * How the networks of small widths are trained: Adam in three stages, squared hinge loss, weights kept from -1 to 1.
 *
 * Room: cli (level 6). Imports: effect, `exchange` types, `nn`, `train`, `tensor`, `./Pieces.ts`, `./Progress.ts`.
 */
import { Effect, pipe, Ref, Stream } from "effect"
import * as LearningRate from "../core/LearningRate.ts"
import * as Optimizer from "../core/Optimizer.ts"
import type * as Dataset from "../exchange/Dataset.ts"
import type * as Layer from "../nn/Layer.ts"
import * as State from "../nn/State.ts"
import type { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Random from "../tensor/Random.ts"
import type * as Stored from "../tensor/Stored.ts"
import * as Batch from "../train/Batch.ts"
import * as Loss from "../train/Loss.ts"
import * as Metric from "../train/Metric.ts"
import * as Parameters from "../train/Parameters.ts"
import * as Train from "../train/Train.ts"
import * as Pieces from "./Pieces.ts"
import * as Progress from "./Progress.ts"

const batchSize = 100

/** Weights of linear layers and convolutions, by the names that these networks give them. */
export const isWeight = (name: string): boolean => /(^|\.)(fc\d+|conv\d+|output)\.weight$/.test(name)

/** Adam at 0.02, a tenth of it from the half of the epochs, a hundredth from three quarters. */
export const optimizer = (epochs: number, stepsPerEpoch: number): Optimizer.Optimizer => {
  const at = [epochs / 2, (3 * epochs) / 4].map((epoch) => Math.ceil(epoch) * stepsPerEpoch)
  return pipe(
    Optimizer.adam(LearningRate.multiStep({ initial: 0.02, at: [...new Set(at)] })),
    Parameters.keepWithin({ low: -1, high: 1, selection: isWeight })
  )
}

export interface Plan {
  readonly train: Dataset.Dataset
  readonly test: Dataset.Dataset
  readonly epochs: number
  readonly seed: number
}

/** How it stood after an epoch; the accuracy in percent, on images that were held out. */
export interface Epoch {
  readonly epoch: number
  readonly loss: number
  readonly accuracy: number
  readonly seconds: number
}

export interface Result {
  readonly epochs: ReadonlyArray<Epoch>
  /** the epoch with the highest accuracy, the first of equals */
  readonly best: Epoch
  /** the state after the best epoch */
  readonly state: Stored.Tensors
}

/** The events of a training by the recipe. */
export const train = (
  model: Layer.Layer,
  plan: Plan
): Stream.Stream<Train.Event, Train.TrainError | InvalidOptions> => {
  const [images, held] = [Pieces.source(plan.train), Pieces.source(plan.test)]
  return Train.run(model, {
    optimizer: optimizer(plan.epochs, Batch.countOf(images, { batchSize })),
    loss: Loss.squaredHinge,
    epochs: plan.epochs,
    batches: (random) => Batch.stream(images, { batchSize, random }),
    random: Random.split(Random.make(plan.seed), "order"),
    validation: { batches: Batch.stream(held, { batchSize: 500 }), metrics: { accuracy: Metric.accuracy } }
  })
}

const percent = (accuracy: number): string => `${accuracy.toFixed(2)} %`

/** Trains a model with a bar that shows how far it is and how good; the best state is what comes of it. */
export const run = Effect.fn("Recipe.run")(function* (label: string, model: Layer.Layer, plan: Plan) {
  const reached = yield* Ref.make<Result | undefined>(undefined)
  const ended = ({ epoch, loss, metrics, milliseconds }: Train.EpochDone) =>
    Effect.gen(function* () {
      const now: Epoch = { epoch, loss, accuracy: 100 * (metrics.accuracy ?? 0), seconds: milliseconds / 1000 }
      const before = yield* Ref.get(reached)
      const epochs = [...(before?.epochs ?? []), now]
      const better = before === undefined || now.accuracy > before.best.accuracy
      const after: Result = better ? { epochs, best: now, state: yield* State.extract(model) } : { ...before, epochs }
      yield* Ref.set(reached, after)
      return `loss ${loss.toFixed(3)}  ${percent(now.accuracy)}, best ${percent(after.best.accuracy)}`
    })
  const total = plan.epochs * Batch.countOf(Pieces.source(plan.train), { batchSize })
  yield* Progress.track(label, total, ({ update }) =>
    Stream.runForEach(train(model, plan), (event) => {
      if (event._tag === "StepDone") return update(event.step)
      return event._tag === "EpochDone" ? Effect.flatMap(ended(event), (note) => update(event.step, note)) : Effect.void
    })
  )
  return (yield* Ref.get(reached)) as Result
})
