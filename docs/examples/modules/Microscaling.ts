import * as tf from "@tensorflow/tfjs-core"
import { Injector, Microscaling, TensorQuantizer } from "breve"
import { Effect } from "effect"

/** MX: groups of 32 share a power of two as their scale; large values in one group cost the other nothing. */
export const example = Effect.map(Injector.resolve(Microscaling.MXFloat4e2m1Act, "tensorQuant"), (quantizer) =>
  tf.tidy(() => {
    const x = tf.concat([tf.fill([1, 32], 0.7), tf.fill([1, 32], 90)], 1)
    const { value, scale } = TensorQuantizer.quantize(quantizer, x)
    const ends = (y: tf.Tensor) => [y.dataSync()[0], y.dataSync()[63]]
    return { values: ends(value), scales: ends(scale) }
  })
)

export const shows = { values: [0.75, 96], scales: [0.125, 16] }
