import * as tf from "@tensorflow/tfjs-core"
import { Injector, Scaling, TensorQuantizer, TernaryQuant } from "breve"
import { Effect } from "effect"

const Ternary = Injector.make("Ternary", {
  tensorQuant: TernaryQuant.TernaryQuant,
  scalingImpl: Scaling.ConstScaling,
  scalingInit: 0.2,
  threshold: 0.5
})

/** Minus 0.2, 0 or 0.2: half of the scale is where values begin to count. */
export const example = Effect.map(Injector.resolve(Ternary, "tensorQuant"), (quantizer) =>
  tf.tidy(() => TensorQuantizer.quantize(quantizer, tf.tensor1d([0.7, -0.2, 0.05])).value)
)

export const shows = [0.2, -0.2, 0]
