import * as tf from "@tensorflow/tfjs-core"
import { Activation, Layer } from "breve"
import { Effect } from "effect"

/** A rectifier of 4 bits: in training it learns its scale from what runs through. */
export const example = Effect.gen(function* () {
  const relu = yield* Activation.quantReLU({ act: { bitWidth: 4, collectStatsSteps: 1 } })
  const x = tf.tensor1d([-1, 0.34, 1.5])
  const y = yield* Layer.forward(relu, x, Layer.training)
  x.dispose()
  return y
})

export const shows = [0, 0.3, 1.5]
