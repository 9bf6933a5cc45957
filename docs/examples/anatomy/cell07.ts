import * as tf from "@tensorflow/tfjs-core"
import { BinaryQuant, Injector, Scaling, TensorQuantizer } from "breve"
import { Effect } from "effect"

export const MyBinaryQuantizer = Injector.make("MyBinaryQuantizer", {
  tensorQuant: BinaryQuant.BinaryQuant,
  scalingImpl: Scaling.ParameterScaling,
  scalingInit: 0.1
})

export const run = (x: tf.Tensor) =>
  Effect.map(Injector.resolve(MyBinaryQuantizer, "tensorQuant"), (quantizer) =>
    tf.tidy(() => ({ ...TensorQuantizer.quantize(quantizer, x) }))
  )
