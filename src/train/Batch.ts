/**
 * Batches as values: what they are made of, not tensors, so that a stream of them owns nothing and nothing of it can leak.
 *
 * Room: train (level 5). Imports: tfjs, effect, `nn`, `tensor`. Laws: test/train/Metric.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Stream } from "effect"
import type * as Layer from "../nn/Layer.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Random from "../tensor/Random.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** The tensors of a batch. */
export interface Tensors {
  /** what goes into the model */
  readonly input: Layer.Value
  /** what should come out, as the loss wants it */
  readonly target: tf.Tensor
}

/** Samples and their targets, without tensors until a step makes them. */
export interface Batch {
  /** how many samples */
  readonly size: number
  /** makes its tensors; called within a `tf.tidy`, which disposes what is made here and nothing else */
  readonly tensors: () => Tensors
}

/** Numbers on their way to become a tensor. */
export interface Plain {
  readonly shape: ReadonlyArray<number>
  readonly values: Float32Array | Int32Array
}

// ---- constructors -------------------------------------------------------------------------------------------

const tensorOf = ({ shape, values }: Plain): tf.Tensor =>
  tf.tensor(values, [...shape], values instanceof Int32Array ? "int32" : "float32")

/**
 * A batch of plain numbers; Float32Array becomes float32, Int32Array int32. The first axis counts samples.
 *
 * @category constructors
 * @since 0.3.0
 */
export const make = (input: Plain, target: Plain): Batch => ({
  size: input.shape[0] ?? 0,
  tensors: () => ({ input: tensorOf(input), target: tensorOf(target) })
})

/**
 * A batch of tensors that somebody owns, and disposes when training is done with them.
 *
 * @category constructors
 * @since 0.3.0
 */
export const fromTensors = (input: tf.Tensor, target: tf.Tensor): Batch => ({
  size: input.shape[0] ?? 0,
  tensors: () => ({ input, target })
})

// ---- data sets ----------------------------------------------------------------------------------------------

/** Samples by their places. */
export interface Source {
  /** how many samples there are */
  readonly count: number
  /** the samples at these places; what is expensive belongs into the batch's `tensors` */
  readonly batch: (indices: Uint32Array) => Batch
}

/** The rows of two arrays of numbers: their first axes count samples. */
export const source = (input: Plain, target: Plain): Source => {
  const rowsOf = ({ shape, values }: Plain, indices: Uint32Array): Plain => {
    const size = shape.slice(1).reduce((product, d) => product * d, 1)
    const chosen =
      values instanceof Int32Array ? new Int32Array(indices.length * size) : new Float32Array(indices.length * size)
    indices.forEach((index, i) => {
      chosen.set(values.subarray(index * size, (index + 1) * size), i * size)
    })
    return { shape: [indices.length, ...shape.slice(1)], values: chosen }
  }
  return {
    count: input.shape[0] ?? 0,
    batch: (indices) => ({
      size: indices.length,
      tensors: () => make(rowsOf(input, indices), rowsOf(target, indices)).tensors()
    })
  }
}

export interface StreamOptions {
  readonly batchSize: number
  /** the order of the samples is drawn from it; default: their own order */
  readonly random?: Random.Random
  /** leave out a last batch of fewer samples; default: false */
  readonly dropRemainder?: boolean
}

/**
 * All samples of a source once, as batches.
 *
 * - errors: InvalidOptions for a batch size that is not whole and above 0
 *
 * @category streams
 * @since 0.3.0
 */
export const stream = (from: Source, options: StreamOptions): Stream.Stream<Batch, InvalidOptions> => {
  const { batchSize, random } = options
  if (!(Number.isInteger(batchSize) && batchSize > 0)) {
    const reason = `is not a whole number above 0: ${batchSize}`
    return Stream.fail(new InvalidOptions({ what: "Batch.stream", option: "batchSize", reason }))
  }
  return Stream.suspend(() => {
    const order =
      random === undefined
        ? Uint32Array.from({ length: from.count }, (_, i) => i)
        : Random.permutation(random, from.count)
    return Stream.range(0, countOf(from, options) - 1, 1).pipe(
      Stream.map((i) => from.batch(order.subarray(i * batchSize, (i + 1) * batchSize)))
    )
  })
}

/** How many batches an epoch has. */
export const countOf = ({ count }: Source, { batchSize, dropRemainder = false }: StreamOptions): number =>
  dropRemainder ? Math.floor(count / batchSize) : Math.ceil(count / batchSize)
