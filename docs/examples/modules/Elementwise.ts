import * as tf from "@tensorflow/tfjs-core"
import { Elementwise, Layer } from "breve"
import { Effect } from "effect"

/** A residual addition: both inputs go through one quantizer, so that they lie on one grid. */
export const example = Effect.gen(function* () {
  const add = yield* Elementwise.quantEltwiseAdd({ input: { collectStatsSteps: 1 } })
  const [a, b] = [tf.tensor1d([1.28, 0.5]), tf.tensor1d([0.013, -0.25])]
  const y = yield* Layer.forward(add, [a, b], Layer.training)
  tf.dispose([a, b])
  return y
})

export const shows = [1.27, 0.25]
