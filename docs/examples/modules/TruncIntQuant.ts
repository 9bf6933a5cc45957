import * as tf from "@tensorflow/tfjs-core"
import { Injector, ScaledInt, TensorQuantizer } from "breve"
import { Effect } from "effect"

/** An accumulator of 12 bits cut to the highest 8: steps become 16 times as large. */
export const example = Effect.map(Injector.resolve(ScaledInt.TruncTo8bit, "tensorQuant"), (quantizer) =>
  tf.tidy(() => {
    const input = { scale: tf.scalar(0.01), zeroPoint: tf.scalar(0), bitWidth: tf.scalar(12), signed: true }
    const { value, scale, bitWidth } = TensorQuantizer.quantize(quantizer, tf.tensor1d([1.27, -0.4]), false, input)
    return { value, scale, bitWidth }
  })
)

export const shows = { value: [1.12, -0.48], scale: 0.16, bitWidth: 8 }
