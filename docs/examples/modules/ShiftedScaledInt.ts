import * as tf from "@tensorflow/tfjs-core"
import { Injector, ShiftedScaledInt, TensorQuantizer } from "breve"
import { Effect } from "effect"

/** Unsigned with a zero-point: from the smallest weight to the largest. */
export const example = Effect.map(
  Injector.resolve(ShiftedScaledInt.ShiftedUint8WeightPerTensorFloat, "tensorQuant"),
  (quantizer) =>
    tf.tidy(() => {
      const { value, scale, zeroPoint } = TensorQuantizer.quantize(quantizer, tf.tensor2d([[-0.55, 0.502, 2]]))
      return { value, scale, zeroPoint }
    })
)

export const shows = { value: [[-0.55, 0.5, 2]], scale: 0.01, zeroPoint: 55 }
