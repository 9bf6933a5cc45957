import * as tf from "@tensorflow/tfjs-core"
import { Injector, TensorQuantizer } from "breve"
import { Effect, pipe } from "effect"
import { MyBinaryQuantizer } from "./cell07.ts"

export const MyChildBinaryQuantizer = pipe(MyBinaryQuantizer, Injector.let({ scalingInit: 1 }))

export const run = (x: tf.Tensor) =>
  Effect.map(Injector.resolve(MyChildBinaryQuantizer, "tensorQuant"), (quantizer) =>
    tf.tidy(() => ({ ...TensorQuantizer.quantize(quantizer, x) }))
  )
