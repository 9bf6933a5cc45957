import * as tf from "@tensorflow/tfjs-core"
import { FloatFnuz, Injector, TensorQuantizer } from "breve"
import { Effect } from "effect"

/** FP8 as some accelerators have it: without infinities and without a negative zero, so up to 240. */
export const example = Effect.map(Injector.resolve(FloatFnuz.Fp8e4m3FNUZWeight, "tensorQuant"), (quantizer) =>
  tf.tidy(() => TensorQuantizer.quantize(quantizer, tf.tensor1d([0.3, 1.07, 1000])).value)
)

export const shows = [0.3125, 1.125, 240]
