import * as tf from "@tensorflow/tfjs-core"
import { Layer, QuantTensor, Truncated } from "breve"
import { Effect } from "effect"

/** An average pool of integers: sums of windows, cut to 8 bits; the division is in the scale. */
export const example = Effect.gen(function* () {
  const pool = yield* Truncated.truncAvgPool2d({ kernelSize: [2, 2], returnQuantTensor: true })
  const image = tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1])
  const x = QuantTensor.fromNumbers(image, { scale: 0.5, zeroPoint: 0, bitWidth: 8, signed: true, training: false })
  const y = yield* Layer.forward(pool, x)
  tf.dispose([image, ...QuantTensor.tensorsOf(x)])
  return y
})

export const shows = { value: [[[[2.5]]]], scale: 0.5, zeroPoint: 0, bitWidth: 8, signed: true }
