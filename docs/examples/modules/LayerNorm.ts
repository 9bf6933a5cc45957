import * as tf from "@tensorflow/tfjs-core"
import { Layer, LayerNorm } from "breve"
import { Effect } from "effect"

/** Each position over its channels: mean 0 and variance 1. */
export const example = Effect.gen(function* () {
  const norm = yield* LayerNorm.layerNorm({ channels: 4 })
  const x = tf.tensor2d([[1, 2, 3, 4]])
  const y = yield* Layer.forward(norm, x)
  x.dispose()
  return y
})

export const shows = [[-1.34164, -0.447212, 0.447212, 1.34164]]
