import * as tf from "@tensorflow/tfjs-core"
import { Dynamic, Injector, TensorQuantizer } from "breve"
import { Effect } from "effect"

/** A scale for each row of the input, from the row itself: a row of large values costs the others nothing. */
export const example = Effect.map(Injector.resolve(Dynamic.Int8DynamicActPerRowFloat, "tensorQuant"), (quantizer) =>
  tf.tidy(() => {
    const x = tf.tensor2d([
      [0, 1.28],
      [-28, 100]
    ])
    return TensorQuantizer.quantize(quantizer, x).scale
  })
)

export const shows = [[0.01], [1]]
