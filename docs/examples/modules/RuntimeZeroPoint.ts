import * as tf from "@tensorflow/tfjs-core"
import { Dynamic, Injector, TensorQuantizer } from "breve"
import { Effect } from "effect"

/** Scale and zero-point from the input itself: the range -1 .. 2 has its zero at 85 of 255. */
export const example = Effect.map(
  Injector.resolve(Dynamic.ShiftedUint8DynamicActPerTensorFloat, "tensorQuant"),
  (quantizer) =>
    tf.tidy(() => {
      const { scale, zeroPoint } = TensorQuantizer.quantize(quantizer, tf.tensor2d([[-1, 0, 2]]))
      return { scale, zeroPoint }
    })
)

export const shows = { scale: 0.0117647, zeroPoint: 85 }
