import * as tf from "@tensorflow/tfjs-core"
import { Layer, TensorNorm } from "breve"
import { Effect } from "effect"

/** All values of a batch to mean 0 and variance 1 together: they stay in proportion, and fit a loss. */
export const example = Effect.gen(function* () {
  const norm = yield* TensorNorm.tensorNorm()
  const x = tf.tensor2d([[10, 30, 50, 70]])
  const y = yield* Layer.forward(norm, x, Layer.training)
  x.dispose()
  return y
})

export const shows = [[-1.34164, -0.447214, 0.447214, 1.34164]]
