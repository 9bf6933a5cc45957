import * as tf from "@tensorflow/tfjs-core"
import { Data, Deferred, Effect, Exit, Fiber, Metric as Measure, pipe, type Scope, Stream } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as LearningRate from "../../src/core/LearningRate.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import { InvalidCheckpoint, InvalidOptions, MissingInput, NonFiniteLoss } from "../../src/tensor/Errors.ts"
import * as Random from "../../src/tensor/Random.ts"
import * as Batch from "../../src/train/Batch.ts"
import type * as Checkpoint from "../../src/train/Checkpoint.ts"
import * as Diagnosis from "../../src/train/Diagnosis.ts"
import * as Learned from "../../src/train/Learned.ts"
import * as Loss from "../../src/train/Loss.ts"
import * as Metric from "../../src/train/Metric.ts"
import * as Train from "../../src/train/Train.ts"
import * as Trainer from "../../src/train/Trainer.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* Backend.Backend
      const before = tf.memory().numTensors
      const answer = yield* Effect.scoped(effect)
      expect(tf.memory().numTensors).toBe(before)
      return answer
    }).pipe(Effect.provide(Backend.layer))
  )

const count = 20
const inputs = Random.normal(Random.make(1), count * 4, 0, 1)
const labels = Int32Array.from({ length: count }, (_, i) => ((inputs[4 * i] ?? 0) > 0 ? 1 : 0))
const source = Batch.source({ shape: [count, 4], values: inputs }, { shape: [count], values: labels })
const batches = (random: Random.Random) => Batch.stream(source, { batchSize: 6, random })

const actQuant = pipe(ScaledInt.Uint8ActPerTensorFloat, Injector.let({ collectStatsSteps: 3 }))
const network = Effect.gen(function* () {
  return Model.sequential({
    fc1: yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 8, seed: 3 }),
    relu: yield* Activation.quantReLU({ actQuant }),
    fc2: yield* Linear.quantLinear({ inFeatures: 8, outFeatures: 2, seed: 4 })
  })
})
const options = { optimizer: Optimizer.adam(0.05), loss: Loss.crossEntropy, epochs: 3, batches, random: Random.make(7) }

const bits = (model: Layer.Layer) => Layer.tensorsOf(Layer.read(model)).map((x) => [...x.dataSync()])

/** A saver that keeps what it is given. */
const keeping = () => {
  const kept: Array<Checkpoint.Checkpoint> = []
  return { kept, save: (checkpoint: Checkpoint.Checkpoint) => Effect.sync(() => void kept.push(checkpoint)) }
}
/** Events without times. */
const timeless = (events: ReadonlyArray<Train.Event>) =>
  events.map((event) => ("milliseconds" in event ? { ...event, milliseconds: 0 } : event))

describe("a training", () => {
  it("tells every step, epoch and checkpoint, in order", () =>
    run(
      Effect.gen(function* () {
        const { kept, save } = keeping()
        const metrics = { accuracy: Metric.accuracy }
        const validation = { batches: Batch.stream(source, { batchSize: 7 }), metrics }
        const rate = LearningRate.stepDecay({ initial: 0.05, every: 4 })
        const model = yield* network
        const events = yield* Stream.runCollect(
          Train.run(model, {
            ...options,
            optimizer: Optimizer.adam(rate),
            validation,
            checkpoints: { save }
          })
        )
        const epoch = ["StepDone", "StepDone", "StepDone", "StepDone", "EpochDone", "CheckpointWritten"]
        expect(events.map(({ _tag }) => _tag)).toEqual([...epoch, ...epoch, ...epoch])
        const steps = events.filter((event) => event._tag === "StepDone")
        expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
        expect(steps.map((one) => [one.epoch, one.batch]).slice(3, 5)).toEqual([
          [1, 4],
          [2, 1]
        ])
        expect(steps.map((one) => Number(one.rate.toPrecision(6))).slice(3, 5)).toEqual([0.05, 0.005])
        const ends = events.filter((event) => event._tag === "EpochDone")
        const weights = [6, 6, 6, 2]
        const mean = steps.slice(0, 4).reduce((sum, { loss }, i) => sum + loss * (weights[i] as number), 0) / count
        expect(ends[0]?.loss).toBeCloseTo(mean, 12)
        expect(ends[2]?.metrics).toEqual(yield* Metric.evaluate(model, validation.batches, metrics))
        expect(kept.map(({ position }) => [position.epoch, position.batch])).toEqual([
          [1, 0],
          [2, 0],
          [3, 0]
        ])
      })
    ))
  it("gives the same bits for the same seed, and others for another", () =>
    run(
      Effect.gen(function* () {
        const trained = (seed: number) =>
          Effect.gen(function* () {
            const model = yield* network
            yield* Stream.runDrain(Train.run(model, { ...options, random: Random.make(seed) }))
            return bits(model)
          })
        const first = yield* trained(7)
        expect(yield* trained(7)).toEqual(first)
        expect(yield* trained(8)).not.toEqual(first)
      })
    ))
  it("leaves no tensor behind over 200 steps", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const sizes = yield* Stream.runCollect(
          Stream.map(Train.run(model, { ...options, epochs: 50 }), () => tf.memory().numTensors)
        )
        expect(sizes.length).toBe(250)
        expect(new Set(sizes.slice(10)).size).toBe(1)
      })
    ))
  it("counts in Effect's metrics", () =>
    run(
      Effect.gen(function* () {
        const read = Effect.map(
          Measure.value(
            Measure.counter("breve_train_steps", { incremental: true, description: "training steps taken" })
          ),
          (state) => Number(state.count)
        )
        const before = yield* read
        yield* Stream.runDrain(Train.run(yield* network, options))
        expect((yield* read) - before).toBe(12)
      })
    ))
  it("runs no step ahead of who watches, and saves what he has seen", () =>
    run(
      Effect.gen(function* () {
        const { kept, save } = keeping()
        const seen = yield* Stream.runCollect(
          Stream.take(Train.run(yield* network, { ...options, checkpoints: { save } }), 2)
        )
        expect(seen.map(({ step }) => step)).toEqual([1, 2])
        expect(kept.map(({ optimizer }) => optimizer.steps)).toEqual([2])
      })
    ))
})

describe("a training that is interrupted", () => {
  it.each([1, 3, 4, 7])("after step %d is saved whole, and goes on as if nothing had been", (last) =>
    run(
      Effect.gen(function* () {
        const whole = yield* network
        const all = yield* Stream.runCollect(Train.run(whole, options))
        const { kept, save } = keeping()
        const first = yield* network
        const reached = yield* Deferred.make<void>()
        const before: Array<Train.Event> = []
        const fiber = yield* Effect.forkChild(
          Stream.runForEach(Train.run(first, { ...options, checkpoints: { save, everySteps: 100 } }), (event) => {
            before.push(event)
            return event._tag === "StepDone" && event.step === last ? Deferred.succeed(reached, undefined) : Effect.void
          })
        )
        yield* Deferred.await(reached)
        yield* Fiber.interrupt(fiber)
        const exit = yield* Fiber.await(fiber)
        expect(Exit.isFailure(exit)).toBe(true)
        const resume = kept.at(-1)
        expect(resume?.optimizer.steps).toBe(before.findLast(({ _tag }) => _tag === "StepDone")?.step)
        const second = yield* network
        const after = yield* Stream.runCollect(Train.run(second, { ...options, resume: resume as never }))
        expect(bits(second)).toEqual(bits(whole))
        expect(timeless([...before.slice(0, resume?.optimizer.steps), ...after]).at(-1)).toEqual(timeless(all).at(-1))
        const lossesOf = (events: ReadonlyArray<Train.Event>) =>
          events.flatMap((event) => (event._tag === "StepDone" ? [event.loss] : []))
        expect(lossesOf(all).slice(resume?.optimizer.steps)).toEqual(lossesOf(after))
      })
    )
  )
})

describe("a training that fails", () => {
  /** The third batch is broken. */
  const broken = (break_: (tensors: Batch.Tensors) => Batch.Tensors) => (random: Random.Random) =>
    Stream.map(Stream.zipWithIndex(batches(random)), ([batch, i]) =>
      i === 2 ? { ...batch, tensors: () => break_(batch.tensors()) } : batch
    )
  const nan = broken(({ input, target }) => ({ input: tf.mul(input as tf.Tensor, Number.NaN), target }))
  /** What fails, what was saved, and whether the model is as after two good steps. */
  const failing = <E1>(other: Partial<Train.Options<E1, never, never, never, never, never>>) =>
    Effect.gen(function* () {
      const good = yield* network
      yield* Stream.runDrain(Stream.take(Train.run(good, options), 2))
      const model = yield* network
      const { kept, save } = keeping()
      const given = { ...options, checkpoints: { save }, ...other } as Train.Options<
        E1,
        never,
        never,
        never,
        never,
        never
      >
      const error = yield* Effect.flip(Stream.runDrain(Train.run(model, given)))
      expect(bits(model)).toEqual(bits(good))
      expect(kept.map(({ optimizer }) => optimizer.steps)).toEqual([2])
      return error
    })

  it("with a NaN in the input names it, and stays at the last good step", () =>
    run(
      Effect.gen(function* () {
        const error = yield* failing({ batches: nan })
        expect(error).toBeInstanceOf(NonFiniteLoss)
        expect(error).toMatchObject({ step: 3, loss: Number.NaN, where: "the input of the model" })
        expect((error as Error).message).toContain("the model is as step 2 left it")
      })
    ))
  it("with targets that are no classes names the loss", () =>
    run(
      Effect.gen(function* () {
        const strange = broken(({ input, target }) => ({ input, target: tf.add(target, tf.scalar(9, "int32")) }))
        expect(yield* failing({ batches: strange })).toMatchObject({ where: "the loss itself, or its targets" })
      })
    ))
  it("with an overflow within names the layer where it began", () =>
    run(
      Effect.gen(function* () {
        const grown = (x: tf.Tensor): tf.Tensor => tf.square(tf.square(x))
        const model = Model.sequential({
          fc1: yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 8, seed: 3 }),
          grown: Model.stateless("Grown", grown),
          relu: yield* Activation.quantReLU({ actQuant }),
          fc2: yield* Linear.quantLinear({ inFeatures: 8, outFeatures: 2, seed: 4 })
        })
        const huge = broken(({ input, target }) => ({ input: tf.mul(input as tf.Tensor, 1e30), target }))
        const error = yield* Effect.flip(Stream.runDrain(Train.run(model, { ...options, batches: huge })))
        expect(error).toMatchObject({ step: 3, where: 'the output of the layer "grown"' })
      })
    ))
  it("with a broken scale names the quantizer", () =>
    run(
      Effect.gen(function* () {
        const model = Model.sequential({ inner: yield* network })
        const trainer = yield* Trainer.make(model, Optimizer.sgd(0.1))
        const states = Layer.read(model)
        const { where } = tf.tidy(() => {
          const zeroed = new Map(
            [...states].map(([cell, state]) => {
              const { quantizer } = state
              const isRelu = Learned.prefixesOf(model).get(cell) === "inner.relu.actQuant."
              if (quantizer === undefined || !isRelu) return [cell, state]
              const apply: typeof quantizer.apply = (...given) => {
                const [quantized, memory] = quantizer.apply(...given)
                return [{ ...quantized, scale: tf.scalar(Number.NaN) }, memory]
              }
              return [cell, { ...state, quantizer: { ...quantizer, apply } }]
            })
          )
          return { where: Diagnosis.ofForward(model, zeroed, tf.ones([2, 4])) ?? "" }
        })
        expect(where).toBe('the scale of the quantizer "inner.relu.actQuant"')
        expect(Trainer.steps(trainer)).toBe(0)
      })
    ))
  it("with a finite loss and gradients that are not names the gradient", () =>
    run(
      Effect.gen(function* () {
        const steep: Loss.Loss = (y, t) => {
          const sum = tf.sum(tf.cast(t, "float32")).dataSync()[0] as number
          return tf.add(Loss.crossEntropy(y, t), tf.mul(tf.sum(tf.sqrt(tf.mul(y, 0))), sum >= 0 ? 1 : 0))
        }
        const model = yield* network
        const before = bits(model)
        const error = yield* Effect.flip(Stream.runDrain(Train.run(model, { ...options, loss: steep })))
        expect(error).toBeInstanceOf(NonFiniteLoss)
        expect((error as NonFiniteLoss).where).toMatch(/^the gradient of "fc1\.weight"$/)
        expect(Number.isFinite((error as NonFiniteLoss).loss)).toBe(true)
        expect(bits(model)).toEqual(before)
      })
    ))
  class NoData extends Data.TaggedError("NoData")<{ readonly file: string }> {}
  it("passes on what its batches fail with", () =>
    run(
      Effect.gen(function* () {
        const cut = (random: Random.Random) =>
          Stream.concat(Stream.take(batches(random), 2), Stream.fail(new NoData({ file: "x" })))
        expect(yield* failing({ batches: cut })).toEqual(new NoData({ file: "x" }))
      })
    ))
  it("passes on what its layers fail with", () =>
    run(
      Effect.gen(function* () {
        const dependent = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 2, biasQuant: ScaledInt.Int8Bias })
        const error = yield* Effect.flip(Stream.runDrain(Train.run(dependent, options)))
        expect(error).toBeInstanceOf(MissingInput)
      })
    ))
  it("passes on what saving fails with, and does not try again", () =>
    run(
      Effect.gen(function* () {
        const attempts: Array<number> = []
        const save = (checkpoint: Checkpoint.Checkpoint) =>
          Effect.suspend(() => {
            attempts.push(checkpoint.optimizer.steps)
            return Effect.fail(new NoData({ file: "disk" }))
          })
        const error = yield* Effect.flip(
          Stream.runDrain(Train.run(yield* network, { ...options, checkpoints: { save, everySteps: 2 } }))
        )
        expect(error).toEqual(new NoData({ file: "disk" }))
        expect(attempts).toEqual([2])
      })
    ))
  it.each([
    ["epochs", { epochs: -1 }],
    ["everySteps", { checkpoints: { save: () => Effect.void, everySteps: 0 } }],
    ["value", { optimizer: Optimizer.sgd(Number.NaN) }],
    ["of step 1", { optimizer: Optimizer.sgd(LearningRate.make(() => -1)) }]
  ] as const)("at once with options that cannot be: %s", (message, other) =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const before = bits(model)
        const error = yield* Effect.flip(Stream.runDrain(Train.run(model, { ...options, ...other })))
        expect(error).toBeInstanceOf(InvalidOptions)
        expect(error.message).toContain(message)
        expect(bits(model)).toEqual(before)
      })
    )
  )
  it("at once with a checkpoint of another training", () =>
    run(
      Effect.gen(function* () {
        const { kept, save } = keeping()
        yield* Stream.runDrain(Train.run(yield* network, { ...options, epochs: 1, checkpoints: { save } }))
        const other = { ...options, optimizer: Optimizer.sgd(0.1), resume: kept[0] as Checkpoint.Checkpoint }
        const error = yield* Effect.flip(Stream.runDrain(Train.run(yield* network, other)))
        expect(error).toBeInstanceOf(InvalidCheckpoint)
      })
    ))
})
