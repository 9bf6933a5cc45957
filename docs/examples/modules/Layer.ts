import * as tf from "@tensorflow/tfjs-core"
import { Layer, Linear } from "breve"
import { Effect } from "effect"

/** A layer runs in training, in evaluation, or without its quantizers, as the float network that it is underneath. */
export const example = Effect.gen(function* () {
  const layer = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1, weight: { bitWidth: 2 }, seed: 1 })
  const x = tf.tensor2d([[1, 2]])
  const quantized = yield* Layer.forward(layer, x)
  const float = yield* Layer.forward(layer, x, Layer.without(Layer.evaluation))
  x.dispose()
  return { quantized, float }
})

export const shows = { quantized: [[-0.635356]], float: [[-0.534739]] }
