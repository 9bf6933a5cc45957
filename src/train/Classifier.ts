/**
 * Training and measuring classifiers of images.
 *
 * Room: train (level 5). Imports: tfjs, effect, `core`, `nn`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Stream } from "effect"
import type * as Optimizer from "../core/Optimizer.ts"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Layer from "../nn/Layer.ts"
import type * as Random from "../tensor/Random.ts"
import * as Batch from "./Batch.ts"
import * as Loss from "./Loss.ts"
import * as Metric from "./Metric.ts"
import * as Train from "./Train.ts"

/** Images as a source of batches. */
export interface Images {
  readonly count: number
  readonly height: number
  readonly width: number
  /** grey values from 0 to 1 of some images, image by image */
  readonly pixels: (indices: ArrayLike<number>) => Float32Array
  readonly labels: (indices: ArrayLike<number>) => Int32Array
}

/** The images as batches `x [n, h, w, 1]`, centred on 0, with their labels. */
export const source = ({ count, height, width, pixels, labels }: Images): Batch.Source => ({
  count,
  batch: (indices) => ({
    size: indices.length,
    tensors: () => ({
      input: tf.sub(tf.tensor4d(pixels(indices), [indices.length, height, width, 1]), 0.5),
      target: tf.tensor1d(labels(indices), "int32")
    })
  })
})

export interface Options {
  readonly epochs: number
  readonly batchSize: number
  readonly optimizer: Optimizer.Optimizer
  readonly random: Random.Random
  /** told after each step */
  readonly onStep: (done: number, total: number, loss: number) => Effect.Effect<void>
}

/**
 * Trains for some epochs; answers with the milliseconds of a step (median). Can be interrupted between steps.
 *
 * - errors: those of `Train.run`
 */
export const fit = Effect.fn("Classifier.fit")(function* (model: Layer.Layer, images: Images, options: Options) {
  const { epochs, batchSize, optimizer, random, onStep } = options
  const from = source(images)
  const total = epochs * Batch.countOf(from, { batchSize })
  const times: Array<number> = []
  const batches = (order: Random.Random) => Batch.stream(from, { batchSize, random: order })
  yield* Stream.runForEach(
    Train.run(model, { optimizer, loss: Loss.crossEntropy, epochs, batches, random }),
    (event) => {
      if (event._tag !== "StepDone") return Effect.void
      times.push(event.milliseconds)
      return onStep(event.step, total, event.loss)
    }
  )
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0
})

/**
 * Runs some batches in training mode without learning, so that activation quantizers see what they scale.
 *
 * - errors: InputError of the model
 */
export const calibrate = Effect.fn("Classifier.calibrate")(function* (
  model: Layer.Layer,
  images: Images,
  steps: number,
  batchSize: number
) {
  const from = source(images)
  for (let i = 0; i < steps; i++) {
    const indices = Uint32Array.from({ length: batchSize }, (_, j) => (i * batchSize + j) % images.count)
    const seen = yield* Layer.attempt(() =>
      Layer.run(model, Layer.training, (states) =>
        model.apply(states, from.batch(indices).tensors().input, Layer.training)
      )
    )
    tf.dispose([...QuantTensor.tensorsOf(seen)])
    yield* Effect.yieldNow
  }
})

/**
 * The share of images, in percent, whose largest output is that of their label.
 *
 * - errors: InputError of the model
 */
export const accuracy = Effect.fn("Classifier.accuracy")(function* (
  model: Layer.Layer,
  images: Images,
  batchSize = 250
) {
  const batches = Batch.stream(source(images), { batchSize })
  const { accuracy } = yield* Metric.evaluate(model, batches, { accuracy: Metric.accuracy })
  return 100 * accuracy
})
