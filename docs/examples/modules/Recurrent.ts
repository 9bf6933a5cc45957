import * as tf from "@tensorflow/tfjs-core"
import { Layer, QuantTensor, Recurrent } from "breve"
import { Effect } from "effect"

/** An LSTM over a sequence of three steps: what it answers at each, and its last states. */
export const example = Effect.gen(function* () {
  const lstm = yield* Recurrent.quantLstm({ inputSize: 2, hiddenSize: 4, batchFirst: true, seed: 1 })
  const x = tf.ones([1, 3, 2])
  const { output, hidden, cell } = yield* Layer.forward(lstm, x, Layer.training)
  const shapes = [output, hidden, cell].map(QuantTensor.shapeOf)
  tf.dispose([x, ...[output, hidden, cell].flatMap(QuantTensor.tensorsOf)])
  return shapes
})

export const shows = [
  [1, 3, 4],
  [1, 1, 4],
  [1, 1, 4]
]
