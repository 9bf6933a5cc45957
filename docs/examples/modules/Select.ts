import * as tf from "@tensorflow/tfjs-core"
import { Layer, Linear, Model, QuantTensor, Recurrent, Select } from "breve"
import { Effect } from "effect"

/** An LSTM in a sequence of layers: of its answers only the outputs go on. */
export const example = Effect.gen(function* () {
  const model = Model.sequential({
    lstm: Select.answer(
      yield* Recurrent.quantLstm({ inputSize: 2, hiddenSize: 4, batchFirst: true, seed: 1 }),
      "output"
    ),
    fc: yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 1, seed: 2 })
  })
  const x = tf.ones([1, 3, 2])
  const y = yield* Layer.forward(model, x, Layer.training)
  const shape = QuantTensor.shapeOf(y)
  tf.dispose([x, ...QuantTensor.tensorsOf(y)])
  return shape
})

export const shows = [1, 3, 1]
