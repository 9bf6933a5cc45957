/**
 * Metrics: what a model is judged by, as sums over samples, so that batches of any size add up to the same figure.
 *
 * Room: train (level 5). Imports: tfjs, effect, `core`, `nn`, its own room. Laws: test/train/Metric.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Stream } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Layer from "../nn/Layer.ts"
import type * as Batch from "./Batch.ts"
import type * as Loss from "./Loss.ts"

/** A scalar: the sum over the samples of a batch of what is judged, from outputs and targets. */
export type Metric = (output: tf.Tensor, target: tf.Tensor) => tf.Tensor

/**
 * The mean of a loss.
 *
 * @category metrics
 * @since 0.3.0
 */
export const meanLoss =
  (loss: Loss.Loss): Metric =>
  (output, target) =>
    tf.mul(loss(output, target), output.shape[0] ?? 1)

/**
 * The share of samples whose label is among the `k` largest outputs; of equal outputs the one of the lower class counts as larger,
 * as with `argMax`. An output that is NaN counts as larger than any label's, so that a row of NaN is never right.
 *
 * - shapes: `output [n, classes]`, `target [n]` labels as int32 `-> []`
 *
 * @category metrics
 * @since 0.3.0
 */
export const topK =
  (k: number): Metric =>
  (output, target) =>
    tf.tidy(() => {
      const classes = output.shape[1] as number
      const labels = tf.expandDims(tf.cast(target, "int32"), 1)
      const columns = tf.range(0, classes, 1, "int32")
      const own = tf.equal(columns, labels)
      const ofLabel = tf.sum(tf.where(own, output, tf.zerosLike(output)), 1, true)
      const number = (truth: tf.Tensor): tf.Tensor => tf.cast(truth, "float32")
      const above = tf.sub(1, number(tf.lessEqual(output, ofLabel)))
      const tied = tf.mul(number(tf.equal(output, ofLabel)), number(tf.less(columns, labels)))
      const rank = tf.sum(tf.add(above, tied), 1)
      const known = tf.sum(number(own), 1)
      return tf.sum(tf.mul(number(tf.less(rank, k)), known))
    })

/**
 * The share of samples whose label is the largest output.
 *
 * @category metrics
 * @since 0.3.0
 */
export const accuracy: Metric = topK(1)

// ---- judging a model ----------------------------------------------------------------------------------------

/** The sums of one batch; the model runs in evaluation. */
const sums = (
  model: Layer.Layer,
  batch: Batch.Batch,
  metrics: ReadonlyArray<Metric>
): Effect.Effect<ReadonlyArray<number>, Layer.InputError> =>
  Layer.attempt(() => {
    const read: { sums: ReadonlyArray<number> } = { sums: [] }
    const none = Layer.run(model, Layer.evaluation, (states) => {
      const { input, target } = batch.tensors()
      const [y, after] = model.apply(states, input, Layer.evaluation)
      const output = QuantTensor.dequantized(y)
      if (metrics.length > 0)
        read.sums = [...tf.stack(metrics.map((metric) => tf.reshape(metric(output, target), []))).dataSync()]
      return [tf.scalar(0), after]
    })
    tf.dispose([...QuantTensor.tensorsOf(none)])
    return read.sums
  })

/**
 * The metrics of a model over all samples of some batches, in evaluation. Of no samples they are NaN.
 *
 * - errors: InputError of the model; those of the stream
 *
 * @category judging
 * @since 0.3.0
 */
export const evaluate = <const K extends string, E, R>(
  model: Layer.Layer,
  batches: Stream.Stream<Batch.Batch, E, R>,
  metrics: Readonly<Record<K, Metric>>
): Effect.Effect<Readonly<Record<K, number>>, E | Layer.InputError, R> => {
  const named = Object.entries<Metric>(metrics)
  const asked = named.map(([, metric]) => metric)
  const nothing = { samples: 0, totals: asked.map(() => 0) }
  return Stream.mapEffect(batches, (batch) =>
    Effect.andThen(
      Effect.yieldNow,
      Effect.map(sums(model, batch, asked), (found) => ({ size: batch.size, found }))
    )
  ).pipe(
    Stream.runFold(
      () => nothing,
      ({ samples, totals }, { size, found }) => ({
        samples: samples + size,
        totals: totals.map((total, i) => total + (found[i] ?? 0))
      })
    ),
    Effect.map(({ samples, totals }) => {
      const means = named.map(([name], i) => [name, (totals[i] as number) / samples])
      return Object.fromEntries(means) as Readonly<Record<K, number>>
    }),
    Effect.withSpan("Metric.evaluate", {}, { captureStackTrace: false })
  )
}
