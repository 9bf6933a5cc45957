import * as tf from "@tensorflow/tfjs-core"
import { Layer, MergeBatchNorm } from "breve"
import { Effect } from "effect"
import { input, network } from "../float.ts"

/** A batch normalization becomes part of the layer before it: the model answers the same, and there is one layer less to quantize. */
export const example = Effect.gen(function* () {
  const model = yield* network
  const merged = yield* MergeBatchNorm.merge({ input })(model)
  const x = tf.ones([1, 16])
  const [before, after] = [yield* Layer.forward(model, x), yield* Layer.forward(merged, x)]
  x.dispose()
  return { before, after }
})

export const shows = {
  before: [[0.211605, -0.0267495, 0.334822, 0.0190666]],
  after: [[0.211605, -0.0267495, 0.334822, 0.0190665]]
}
