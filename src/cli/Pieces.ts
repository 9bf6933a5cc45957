/**
 * What the networks of small widths have in common besides their quantizers.
 *
 * Room: cli (level 6). Imports: tfjs, `exchange`, `nn`, `train`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Dataset from "../exchange/Dataset.ts"
import type * as Layer from "../nn/Layer.ts"
import * as Model from "../nn/Model.ts"
import type * as Batch from "../train/Batch.ts"

/** How many bits weights, activations and the input have. */
export interface Widths {
  readonly weightBits: number
  readonly actBits: number
  readonly inputBits: number
}

/** Grey values from 0 to 1 become -1 to 1. */
export const centre: Layer.Layer = Model.stateless("Centre", (x) => tf.sub(tf.mul(x, 2), 1), {
  op: "affine",
  factor: 2,
  offset: -1
})

/** Images as `[n, h, w, 1]`, from 0 to 1, with their labels. */
export const source = (dataset: Dataset.Dataset): Batch.Source => {
  const { count, height, width } = dataset
  return {
    count,
    batch: (indices) => ({
      size: indices.length,
      tensors: () => ({
        input: tf.tensor4d(Dataset.pixels(dataset, indices), [indices.length, height, width, 1]),
        target: tf.tensor1d(Dataset.labels(dataset, indices), "int32")
      })
    })
  }
}
