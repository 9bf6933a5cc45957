import * as tf from "@tensorflow/tfjs-core"
import { Frozen, Layer, Linear, State, Stored } from "breve"
import { Effect } from "effect"

/** For evaluation: weights are quantized once, not at every call; what the layer learns or loads from then on does not matter. */
export const example = Effect.gen(function* () {
  const layer = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1, seed: 1 })
  const frozen = yield* Frozen.make(layer)
  yield* State.load(layer, { weight: Stored.fromFloats(Float32Array.of(1, 1), [2, 1]) }, "report")
  const x = tf.tensor2d([[1, 2]])
  const [now, before] = [yield* Layer.forward(layer, x), yield* Layer.forward(frozen, x)]
  x.dispose()
  return { now, before }
})

export const shows = { now: [[3.05394]], before: [[-0.534043]] }
