import * as tf from "@tensorflow/tfjs-core"
import { BinaryQuant, Injector, Scaling, TensorQuantizer } from "breve"
import { Effect, pipe } from "effect"

export const MyBinaryImpl = Injector.make("MyBinaryImpl", { tensorQuant: BinaryQuant.BinaryQuant })
export const MyScalingImpl = Injector.make("MyScalingImpl", {
  scalingImpl: Scaling.ParameterScaling,
  scalingInit: 0.1
})
export const MyComposedBinaryQuantizer = pipe(MyScalingImpl, Injector.merge(MyBinaryImpl))

export const run = (x: tf.Tensor) =>
  Effect.map(Injector.resolve(MyComposedBinaryQuantizer, "tensorQuant"), (quantizer) =>
    tf.tidy(() => ({ ...TensorQuantizer.quantize(quantizer, x) }))
  )
