import * as tf from "@tensorflow/tfjs-core"
import { FixedPoint, Injector, TensorQuantizer } from "breve"
import { Effect } from "effect"

/** A scale that is a power of two: the largest magnitude, 1.4, fits below 2. */
export const example = Effect.map(
  Injector.resolve(FixedPoint.Int8WeightPerTensorFixedPoint, "tensorQuant"),
  (quantizer) =>
    tf.tidy(() => {
      const { value, scale } = TensorQuantizer.quantize(quantizer, tf.tensor1d([0.3, -0.7, 1.4]))
      return { value, scale }
    })
)

export const shows = { value: [0.296875, -0.703125, 1.40625], scale: 0.015625 }
