import * as tf from "@tensorflow/tfjs-core"
import { Layer, Pooling, QuantTensor } from "breve"
import { Effect } from "effect"

/** The largest value of each window of a quantized image, which stays quantized. */
export const example = Effect.gen(function* () {
  const pool = Pooling.maxPool2d({ size: [2, 2] })
  const image = tf.tensor4d([0.5, 1, -0.5, 0], [1, 2, 2, 1])
  const x = QuantTensor.fromNumbers(image, { scale: 0.5, zeroPoint: 0, bitWidth: 4, signed: true, training: false })
  const y = yield* Layer.forward(pool, x)
  tf.dispose([image, ...QuantTensor.tensorsOf(x)])
  return y
})

export const shows = { value: [[[[1]]]], scale: 0.5, zeroPoint: 0, bitWidth: 4, signed: true }
