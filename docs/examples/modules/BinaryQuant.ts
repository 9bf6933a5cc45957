import * as tf from "@tensorflow/tfjs-core"
import { BinaryQuant, Injector, Scaling, TensorQuantizer } from "breve"
import { Effect } from "effect"

const Binary = Injector.make("Binary", {
  tensorQuant: BinaryQuant.BinaryQuant,
  scalingImpl: Scaling.ConstScaling,
  scalingInit: 0.1
})

/** A declaration of three attributes: every value becomes plus or minus 0.1. */
export const example = Effect.map(Injector.resolve(Binary, "tensorQuant"), (quantizer) =>
  tf.tidy(() => TensorQuantizer.quantize(quantizer, tf.tensor1d([0.7, -0.2, 0])).value)
)

export const shows = [0.1, -0.1, 0.1]
