import * as tf from "@tensorflow/tfjs-core"
import { Layer, Linear, None, QuantTensor } from "breve"
import { Effect } from "effect"

/** No quantization, as a declaration: the same as the option `null`. */
export const example = Effect.gen(function* () {
  const layer = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1, weightQuant: None.NoneWeightQuant, seed: 1 })
  const x = tf.tensor2d([[1, 1]])
  const y = yield* Layer.forward(layer, x)
  x.dispose()
  return { isQuantized: QuantTensor.isQuantTensor(y), y }
})

export const shows = { isQuantized: false, y: [[-0.304974]] }
