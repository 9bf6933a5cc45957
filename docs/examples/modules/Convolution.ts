import * as tf from "@tensorflow/tfjs-core"
import { Convolution, Layer, QuantTensor } from "breve"
import { Effect } from "effect"

/** A depthwise convolution of 4 bits over images `[n, h, w, c]`, one filter for each channel. */
export const example = Effect.gen(function* () {
  const conv = yield* Convolution.quantConv2d({
    inChannels: 2,
    outChannels: 2,
    kernelSize: [3, 3],
    groups: 2,
    padding: "same",
    strides: [2, 2],
    weight: { bitWidth: 4 },
    seed: 1
  })
  const x = tf.ones([1, 8, 8, 2])
  const y = yield* Layer.forward(conv, x)
  const shape = QuantTensor.shapeOf(y)
  tf.dispose([x, ...QuantTensor.tensorsOf(y)])
  return shape
})

export const shows = [1, 4, 4, 2]
