import * as tf from "@tensorflow/tfjs-core"
import { Layer, QuantTensor, TransposedConvolution } from "breve"
import { Effect } from "effect"

/** Twice as large: an upsampling layer with weights of 4 bits. */
export const example = Effect.gen(function* () {
  const up = yield* TransposedConvolution.quantConvTranspose2d({
    inChannels: 2,
    outChannels: 1,
    kernelSize: [2, 2],
    strides: [2, 2],
    weight: { bitWidth: 4 },
    seed: 1
  })
  const x = tf.ones([1, 4, 4, 2])
  const y = yield* Layer.forward(up, x)
  const shape = QuantTensor.shapeOf(y)
  tf.dispose([x, ...QuantTensor.tensorsOf(y)])
  return shape
})

export const shows = [1, 8, 8, 1]
