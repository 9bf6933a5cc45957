import * as tf from "@tensorflow/tfjs-core"
import { Float, Injector, TensorQuantizer } from "breve"
import { Effect, pipe } from "effect"

const Fp6 = pipe(Float.FpWeightPerTensorFloat, Injector.let({ bitWidth: 6, exponentBitWidth: 3, mantissaBitWidth: 2 }))

/** A minifloat of any widths: six bits, three of them exponent. */
export const example = Effect.map(Injector.resolve(Fp6, "tensorQuant"), (quantizer) =>
  tf.tidy(() => TensorQuantizer.quantize(quantizer, tf.tensor1d([0.3, -0.7, 1.4])).value)
)

export const shows = [0.3, -0.7, 1.4]
