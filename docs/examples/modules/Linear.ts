import * as tf from "@tensorflow/tfjs-core"
import { Layer, Linear, ScaledInt, State, Stored } from "breve"
import { Effect } from "effect"

/** A quantized affine map: weights of 4 bits, one scale per output; loaded, then applied. */
export const example = Effect.gen(function* () {
  const layer = yield* Linear.quantLinear({
    inFeatures: 2,
    outFeatures: 1,
    weightQuant: ScaledInt.Int8WeightPerChannelFloat,
    weight: { bitWidth: 4 }
  })
  yield* State.load(layer, {
    weight: Stored.fromFloats(Float32Array.of(0.7, -0.32), [2, 1]),
    bias: Stored.fromFloats(Float32Array.of(0.5), [1])
  })
  const x = tf.tensor2d([[1, 1]])
  const y = yield* Layer.forward(layer, x)
  x.dispose()
  return y
})

export const shows = [[0.9]]
