import * as tf from "@tensorflow/tfjs-core"
import { FloatOcp, Injector, TensorQuantizer } from "breve"
import { Effect } from "effect"

/** FP8 as the Open Compute Project has it: one code of e4m3 is NaN, so up to 448. */
export const example = Effect.map(Injector.resolve(FloatOcp.Fp8e4m3OCPWeight, "tensorQuant"), (quantizer) =>
  tf.tidy(() => TensorQuantizer.quantize(quantizer, tf.tensor1d([0.3, 1.07, 1000])).value)
)

export const shows = [0.3125, 1.125, 448]
