import * as tf from "@tensorflow/tfjs-core"
import { Batch, Dataset, type Layer, LearningRate, Loss, Metric, Optimizer, Parameters, Random, Train } from "breve"
import { pipe, Stream } from "effect"

const batchSize = 100

/** Grey images as `[n, h, w, 1]`, from 0 to 1, with their labels. */
const source = (images: Dataset.Dataset): Batch.Source => ({
  count: images.count,
  batch: (indices) => ({
    size: indices.length,
    tensors: () => ({
      input: tf.tensor4d(Dataset.pixels(images, indices), [indices.length, images.height, images.width, 1]),
      target: tf.tensor1d(Dataset.labels(images, indices), "int32")
    })
  })
})

/** The accuracies after each epoch, in percent. */
export const train = (model: Layer.Layer, images: Dataset.Dataset, held: Dataset.Dataset, epochs: number) => {
  const steps = Math.ceil(images.count / batchSize)
  const at = [Math.ceil(epochs / 2) * steps, Math.ceil((3 * epochs) / 4) * steps]
  const optimizer = pipe(
    Optimizer.adam(LearningRate.multiStep({ initial: 0.02, at: [...new Set(at)] })),
    Parameters.keepWithin({ low: -1, high: 1, selection: (name) => /^(fc|conv\d|output).*weight$/.test(name) })
  )
  return Train.run(model, {
    optimizer,
    loss: Loss.squaredHinge,
    epochs,
    batches: (random) => Batch.stream(source(images), { batchSize, random }),
    random: Random.split(Random.make(1), "order"),
    validation: { batches: Batch.stream(source(held), { batchSize: 500 }), metrics: { accuracy: Metric.accuracy } }
  }).pipe(
    Stream.filter((event) => event._tag === "EpochDone"),
    Stream.map(({ metrics }) => 100 * (metrics.accuracy ?? 0))
  )
}
