import * as tf from "@tensorflow/tfjs-core"
import { Injector, ScaledInt, TensorQuantizer } from "breve"
import { Effect } from "effect"

/** A bias on the grid of its layer's sums: its scale comes from outside. */
export const example = Effect.map(Injector.resolve(ScaledInt.Int16Bias, "tensorQuant"), (quantizer) =>
  tf.tidy(() => {
    const scale = tf.scalar(0.01)
    const { value, bitWidth } = TensorQuantizer.quantize(quantizer, tf.tensor1d([0.123, -0.4567]), false, { scale })
    return { value, bitWidth }
  })
)

export const shows = { value: [0.12, -0.46], bitWidth: 16 }
