import * as tf from "@tensorflow/tfjs-core"
import { Injector, ShiftedScaledInt, TensorQuantizer } from "breve"
import { Effect } from "effect"

/** Weights from 0.2 to 1 with a zero-point: no integer is wasted below 0. */
export const example = Effect.map(
  Injector.resolve(ShiftedScaledInt.ShiftedUint8WeightPerTensorFloat, "tensorQuant"),
  (quantizer) =>
    tf.tidy(() => {
      const { scale, zeroPoint } = TensorQuantizer.quantize(quantizer, tf.tensor2d([[-0.2, 0.5, 0.82]]))
      return { scale, zeroPoint }
    })
)

export const shows = { scale: 0.004, zeroPoint: 50 }
