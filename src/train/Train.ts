/**
 * Training as a stream of events: batches come from a stream, every step is an Effect, and whoever runs the stream watches.
 *
 * Nothing runs ahead of who pulls the events. However a training ends, what was not saved yet is saved.
 *
 * Room: train (level 5). Imports: effect, `nn`, `tensor`, its own room. Laws: test/train/Train.test.ts.
 */
import { Clock, Effect, Metric as Measure, MutableRef, type Scope, Stream } from "effect"
import type * as Optimizer from "../core/Optimizer.ts"
import type * as Layer from "../nn/Layer.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Random from "../tensor/Random.ts"
import type { InvalidCheckpoint } from "../tensor/StateErrors.ts"
import type * as Batch from "./Batch.ts"
import * as Checkpoint from "./Checkpoint.ts"
import type * as Loss from "./Loss.ts"
import * as Metric from "./Metric.ts"
import * as Trainer from "./Trainer.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** A step was taken. Steps, epochs and batches count from 1. */
export interface StepDone {
  readonly _tag: "StepDone"
  readonly step: number
  readonly epoch: number
  readonly batch: number
  readonly loss: number
  readonly rate: number
  readonly milliseconds: number
}
/** All batches of an epoch were seen. */
export interface EpochDone {
  readonly _tag: "EpochDone"
  readonly epoch: number
  readonly step: number
  /** the mean over the samples as they were trained on */
  readonly loss: number
  /** of the validation, after the epoch */
  readonly metrics: Readonly<Record<string, number>>
  readonly milliseconds: number
}
/** A checkpoint was saved. */
export interface CheckpointWritten {
  readonly _tag: "CheckpointWritten"
  readonly step: number
  readonly position: Checkpoint.Position
}
/** What a training tells while it runs. */
export type Event = StepDone | EpochDone | CheckpointWritten

/** What to judge the model by after each epoch. */
export interface Validation<E, R> {
  readonly batches: Stream.Stream<Batch.Batch, E, R>
  readonly metrics: Readonly<Record<string, Metric.Metric>>
}

/** Where checkpoints go. */
export interface Checkpoints<E, R> {
  readonly save: (checkpoint: Checkpoint.Checkpoint) => Effect.Effect<void, E, R>
  /** after so many steps; default: after each epoch */
  readonly everySteps?: number
}

export interface Options<E1, R1, E2, R2, E3, R3> {
  readonly optimizer: Optimizer.Optimizer
  readonly loss: Loss.Loss
  readonly epochs: number
  /** the batches of an epoch; what is random in them comes from `random`, which is another one in each epoch */
  readonly batches: (random: Random.Random, epoch: number) => Stream.Stream<Batch.Batch, E1, R1>
  /** default: that of the seed 0 */
  readonly random?: Random.Random
  readonly validation?: Validation<E2, R2>
  readonly checkpoints?: Checkpoints<E3, R3>
  /** go on from here; the checkpoint's randomness counts, not that of `random` */
  readonly resume?: Checkpoint.Checkpoint
}

/** Why training ends early, apart from what its streams and savers fail with. */
export type TrainError = Trainer.StepError | InvalidCheckpoint

// ---- measures -----------------------------------------------------------------------------------------------

const stepsDone = Measure.counter("breve_train_steps", { description: "training steps taken", incremental: true })
const lossNow = Measure.gauge("breve_train_loss", { description: "loss of the latest step" })
const rateNow = Measure.gauge("breve_train_learning_rate", { description: "learning rate of the latest step" })
const stepTime = Measure.histogram("breve_train_step_milliseconds", {
  description: "time of a training step",
  boundaries: Measure.exponentialBoundaries({ start: 0.5, factor: 2, count: 16 })
})

const measured = ({ loss, rate, milliseconds }: StepDone): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const { context } = fiber
    stepsDone.updateUnsafe(1, context)
    lossNow.updateUnsafe(loss, context)
    rateNow.updateUnsafe(rate, context)
    stepTime.updateUnsafe(milliseconds, context)
    return Effect.void
  })

/** Milliseconds on the clock of the surrounding Effect. */
const now: Effect.Effect<number> = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

// ---- a run --------------------------------------------------------------------------------------------------

/** A training on its way. */
interface Run<E1, R1, E2, R2, E3, R3> {
  readonly options: Options<E1, R1, E2, R2, E3, R3>
  readonly trainer: Trainer.Trainer
  readonly at: MutableRef.MutableRef<Checkpoint.Position>
  /** the position of the latest attempt to save */
  readonly saved: MutableRef.MutableRef<Checkpoint.Position>
}

const noEvents: ReadonlyArray<never> = []

/** Saves where the training is, unless that was done; a save that fails is not tried again. */
const save = <E1, R1, E2, R2, E3, R3>(
  self: Run<E1, R1, E2, R2, E3, R3>
): Effect.Effect<ReadonlyArray<CheckpointWritten>, E3, R3> =>
  Effect.suspend((): Effect.Effect<ReadonlyArray<CheckpointWritten>, E3, R3> => {
    const position = MutableRef.get(self.at)
    const { checkpoints } = self.options
    if (checkpoints === undefined || MutableRef.get(self.saved) === position) return Effect.succeed(noEvents)
    return Effect.uninterruptible(
      Effect.gen(function* () {
        const checkpoint = yield* Checkpoint.take(self.trainer, position)
        MutableRef.set(self.saved, position)
        yield* checkpoints.save(checkpoint)
        return [{ _tag: "CheckpointWritten" as const, step: Trainer.steps(self.trainer), position }]
      })
    )
  }).pipe(Effect.withSpan("Train.save", {}, { captureStackTrace: false }))

const isDue = (steps: number, every: number | undefined): boolean => every !== undefined && steps % every === 0

/** A step, its place and its events: once it has begun, all of them. */
const stepped = <E1, R1, E2, R2, E3, R3>(
  self: Run<E1, R1, E2, R2, E3, R3>,
  batch: Batch.Batch
): Effect.Effect<ReadonlyArray<Event>, Trainer.StepError | E3, R3> =>
  Effect.gen(function* () {
    const { options, trainer, at } = self
    const begin = yield* now
    const rate = Trainer.rate(trainer)
    const loss = yield* Trainer.stepOn(trainer, batch, options.loss)
    const before = MutableRef.get(at)
    const position: Checkpoint.Position = {
      ...before,
      batch: before.batch + 1,
      samples: before.samples + batch.size,
      loss: before.loss + loss * batch.size
    }
    MutableRef.set(at, position)
    const [step, milliseconds] = [Trainer.steps(trainer), (yield* now) - begin]
    const place = { step, epoch: position.epoch + 1, batch: position.batch }
    const done: StepDone = { _tag: "StepDone", ...place, loss, rate, milliseconds }
    yield* measured(done)
    return isDue(step, options.checkpoints?.everySteps) ? [done, ...(yield* save(self))] : [done]
  }).pipe(
    Effect.uninterruptible,
    // between steps others get their turn, and an interruption its chance
    (taken) => Effect.andThen(Effect.yieldNow, taken)
  )

const ended = <E1, R1, E2, R2, E3, R3>(
  self: Run<E1, R1, E2, R2, E3, R3>,
  begin: number
): Effect.Effect<ReadonlyArray<Event>, Layer.InputError | E2 | E3, R2 | R3> =>
  Effect.gen(function* () {
    const { options, trainer, at } = self
    const { epoch, samples, loss, random } = MutableRef.get(at)
    const { validation, checkpoints } = options
    const metrics =
      validation === undefined ? {} : yield* Metric.evaluate(trainer.model, validation.batches, validation.metrics)
    MutableRef.set(at, { ...Checkpoint.beginning(random), epoch: epoch + 1 })
    const milliseconds = (yield* now) - begin
    const step = Trainer.steps(trainer)
    const done: EpochDone = { _tag: "EpochDone", epoch: epoch + 1, step, loss: loss / samples, metrics, milliseconds }
    const last = epoch + 1 === options.epochs
    return checkpoints?.everySteps === undefined || last ? [done, ...(yield* save(self))] : [done]
  })

/** The events of one epoch, from the batch where the training is. */
const epochOf = <E1, R1, E2, R2, E3, R3>(
  self: Run<E1, R1, E2, R2, E3, R3>
): Stream.Stream<Event, Trainer.StepError | E1 | E2 | E3, R1 | R2 | R3> =>
  Stream.unwrap(
    Effect.map(now, (begin) => {
      const { epoch, batch, random } = MutableRef.get(self.at)
      const batches = self.options.batches(Random.split(random, `epoch ${epoch}`), epoch + 1)
      return Stream.concat(
        Stream.mapEffect(Stream.rechunk(Stream.drop(batches, batch), 1), (next) => stepped(self, next)),
        Stream.fromEffect(Effect.suspend(() => ended(self, begin)))
      ).pipe(
        Stream.flattenIterable,
        Stream.withSpan("Train.epoch", { attributes: { epoch: epoch + 1 }, captureStackTrace: false })
      )
    })
  )

const checked = (epochs: number, everySteps: number | undefined): Effect.Effect<void, InvalidOptions> => {
  const wrong = (option: string, reason: string) =>
    Effect.fail(new InvalidOptions({ what: "Train.run", option, reason }))
  if (!(Number.isInteger(epochs) && epochs >= 0)) return wrong("epochs", `is not a whole number from 0 up: ${epochs}`)
  return everySteps === undefined || (Number.isInteger(everySteps) && everySteps > 0)
    ? Effect.void
    : wrong("checkpoints.everySteps", `is not a whole number above 0: ${everySteps}`)
}

const begun = <E1, R1, E2, R2, E3, R3>(
  model: Layer.Layer,
  options: Options<E1, R1, E2, R2, E3, R3>
): Effect.Effect<Run<E1, R1, E2, R2, E3, R3>, InvalidOptions | InvalidCheckpoint, Scope.Scope | R3> =>
  Effect.gen(function* () {
    yield* checked(options.epochs, options.checkpoints?.everySteps)
    const { optimizer, resume, random = Random.make(0) } = options
    const trainer = yield* Trainer.make(model, optimizer)
    if (resume !== undefined) yield* Checkpoint.restore(trainer, resume)
    const position = resume?.position ?? Checkpoint.beginning(random)
    const self = { options, trainer, at: MutableRef.make(position), saved: MutableRef.make(position) }
    // whoever stops watching, interrupts or lets it fail finds the latest whole step saved
    yield* Effect.addFinalizer(() => Effect.orDie(save(self)))
    return self
  })

/**
 * Trains a model and tells what happens, as it happens. The model is trained in place: its cells hold the state after the latest step
 * that was taken, however the stream ends.
 *
 * A step whose loss or new parameters are not finite ends the stream with `NonFiniteLoss`; the model stays as the step before left
 * it. Interruption comes through between steps. Whatever ends the stream, a position that was not saved yet is saved before its
 * scope closes; a saver that fails there is a defect.
 *
 * Every epoch is a span `Train.epoch`; steps, loss, learning rate and time of a step are metrics named `breve_train_…`.
 *
 * - errors: TrainError: NonFiniteLoss, InvalidOptions, InvalidCheckpoint, InputError of the model; those of the streams and of
 *   saving
 *
 * @category training
 * @since 0.3.0
 */
export const run = <E1, R1, E2 = never, R2 = never, E3 = never, R3 = never>(
  model: Layer.Layer,
  options: Options<E1, R1, E2, R2, E3, R3>
): Stream.Stream<Event, TrainError | E1 | E2 | E3, R1 | R2 | R3> =>
  Stream.unwrap(
    Effect.map(begun(model, options), (self) =>
      Stream.flatMap(Stream.range(MutableRef.get(self.at).epoch, options.epochs - 1, 1), () => epochOf(self))
    )
  ).pipe(Stream.withSpan("Train.run", { captureStackTrace: false }))
