import * as tf from "@tensorflow/tfjs-core"
import { Float, Injector, TensorQuantizer } from "breve"
import { Effect } from "effect"

/** To FP8 (e4m3): steps grow with the magnitude. */
export const example = Effect.map(Injector.resolve(Float.Fp8e4m3Weight, "tensorQuant"), (quantizer) =>
  tf.tidy(() => TensorQuantizer.quantize(quantizer, tf.tensor1d([0.3, 1.07, 100, 1000])).value)
)

export const shows = [0.3125, 1.125, 96, 480]
