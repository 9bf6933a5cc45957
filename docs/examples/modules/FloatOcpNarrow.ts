import * as tf from "@tensorflow/tfjs-core"
import { FloatOcpNarrow, Injector, TensorQuantizer } from "breve"
import { Effect } from "effect"

/** FP4 weights with one scale: the eight magnitudes 0, 0.5, 1, 1.5, 2, 3, 4, 6 of the format, times the scale. */
export const example = Effect.map(
  Injector.resolve(FloatOcpNarrow.Fp4e2m1OCPWeightPerTensorFloat, "tensorQuant"),
  (quantizer) =>
    tf.tidy(() => {
      const { value, scale } = TensorQuantizer.quantize(quantizer, tf.tensor2d([[0.3, -0.7, 1.4, 0.05]]))
      return { value, scale }
    })
)

export const shows = { value: [[0.35, -0.7, 1.4, 0]], scale: 0.233333 }
