import * as tf from "@tensorflow/tfjs-core"
import { Layer, QuantTensor, Upsample } from "breve"
import { Effect } from "effect"

/** Twice as wide and high, by repeating. */
export const example = Effect.gen(function* () {
  const x = tf.tensor4d([1, 2], [1, 1, 2, 1])
  const y = yield* Layer.forward(Upsample.upsampleNearest({ scaleFactor: 2 }), x)
  const rows = tf.tidy(() => tf.reshape(QuantTensor.dequantized(y), [2, 4]))
  tf.dispose([x, ...QuantTensor.tensorsOf(y)])
  return rows
})

export const shows = [
  [1, 1, 2, 2],
  [1, 1, 2, 2]
]
