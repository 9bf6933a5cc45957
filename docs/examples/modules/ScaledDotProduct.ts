import * as tf from "@tensorflow/tfjs-core"
import { Layer, ScaledDotProduct } from "breve"
import { Effect } from "effect"

/** Attention as such, causal: the second query sees both values, the first one only its own. */
export const example = Effect.gen(function* () {
  const attention = yield* ScaledDotProduct.quantScaledDotProductAttention({ isCausal: true })
  const x = tf.tensor3d([1, 0, 0, 1], [1, 2, 2])
  const y = yield* Layer.forward(attention, { query: x, key: x, value: x }, Layer.training)
  x.dispose()
  return y
})

export const shows = [
  [
    [0.992188, 0],
    [0.330729, 0.661458]
  ]
]
