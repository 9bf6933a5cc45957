/**
 * Training and measuring classifiers of images.
 *
 * Room: train (level 5). Imports: tfjs, effect, `nn`, `core`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Layer from "../nn/Layer.ts"
import * as Random from "../tensor/Random.ts"
import * as Loss from "./Loss.ts"
import type * as Optimizer from "./Optimizer.ts"
import * as Trainer from "./Trainer.ts"

/** Images as a source of batches. */
export interface Images {
  readonly count: number
  readonly height: number
  readonly width: number
  /** grey values from 0 to 1 of some images, image by image */
  readonly pixels: (indices: ArrayLike<number>) => Float32Array
  readonly labels: (indices: ArrayLike<number>) => Int32Array
}

export interface Batch {
  readonly x: tf.Tensor4D
  readonly labels: tf.Tensor1D
}

/** The images at `indices` as tensors of the caller's: `x [n, h, w, 1]`, centred on 0. */
export const batch = (images: Images, indices: ArrayLike<number>): Batch => ({
  x: tf.tidy(() =>
    tf.sub(tf.tensor4d(images.pixels(indices), [indices.length, images.height, images.width, 1]), 0.5)
  ) as tf.Tensor4D,
  labels: tf.tensor1d(images.labels(indices), "int32")
})

/** Consecutive stretches of at most `size`. */
const stretches = (order: Uint32Array, size: number): ReadonlyArray<Uint32Array> =>
  Array.from({ length: Math.ceil(order.length / size) }, (_, i) => order.subarray(i * size, (i + 1) * size))

export interface Options {
  readonly epochs: number
  readonly batchSize: number
  readonly optimizer: Optimizer.Optimizer
  readonly random: Random.Random
  /** told after each step */
  readonly onStep: (done: number, total: number, loss: number) => Effect.Effect<void>
}

const using = <A, E>(
  images: Images,
  indices: Uint32Array,
  f: (batch: Batch) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => batch(images, indices)),
    f,
    ({ x, labels }) => Effect.sync(() => tf.dispose([x, labels]))
  )

/** Trains for some epochs; answers with the milliseconds of a step (median). Can be interrupted between steps. */
export const fit = Effect.fn("Classifier.fit")(function* (model: Layer.Layer, images: Images, options: Options) {
  const perEpoch = Math.ceil(images.count / options.batchSize)
  const times: Array<number> = []
  yield* Effect.scoped(
    Effect.gen(function* () {
      const trainer = yield* Trainer.make(model, options.optimizer)
      for (let epoch = 0; epoch < options.epochs; epoch++) {
        const order = Random.permutation(Random.split(options.random, `epoch ${epoch}`), images.count)
        for (const [i, indices] of stretches(order, options.batchSize).entries()) {
          const begin = performance.now()
          const loss = yield* using(images, indices, ({ x, labels }) =>
            Trainer.step(trainer, x, (y) => Loss.crossEntropy(y, labels))
          )
          times.push(performance.now() - begin)
          yield* options.onStep(epoch * perEpoch + i + 1, options.epochs * perEpoch, loss)
          yield* Effect.yieldNow
        }
      }
    })
  )
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0
})

/** Runs some batches in training mode without learning, so that activation quantizers see what they scale. */
export const calibrate = Effect.fn("Classifier.calibrate")(function* (
  model: Layer.Layer,
  images: Images,
  steps: number,
  batchSize: number
) {
  for (let i = 0; i < steps; i++) {
    const indices = Uint32Array.from({ length: batchSize }, (_, j) => (i * batchSize + j) % images.count)
    yield* using(images, indices, ({ x }) =>
      Effect.map(Layer.forward(model, x, Layer.training), (y) => tf.dispose([...QuantTensor.tensorsOf(y)]))
    )
    yield* Effect.yieldNow
  }
})

/** The share of images, in percent, whose largest output is that of their label. */
export const accuracy = Effect.fn("Classifier.accuracy")(function* (
  model: Layer.Layer,
  images: Images,
  batchSize = 250
) {
  let right = 0
  for (const indices of stretches(
    Uint32Array.from({ length: images.count }, (_, i) => i),
    batchSize
  )) {
    right += yield* using(images, indices, ({ x, labels }) =>
      Effect.map(Layer.forward(model, x, Layer.evaluation), (y) => {
        const hits = tf.tidy(
          () => tf.sum(tf.equal(tf.argMax(QuantTensor.dequantized(y), 1), labels)).dataSync()[0] as number
        )
        tf.dispose([...QuantTensor.tensorsOf(y)])
        return hits
      })
    )
    yield* Effect.yieldNow
  }
  return (100 * right) / images.count
})
