import type * as tf from "@tensorflow/tfjs-core"
import { Activation, Injector, Layer } from "breve"
import { Effect, pipe } from "effect"
import { MyBinaryQuantizer } from "./cell07.ts"

export const MySignedBinaryActQuantizer = pipe(
  MyBinaryQuantizer,
  Injector.let({ signed: true }),
  Injector.named("MySignedBinaryActQuantizer")
)

export const run = (x: tf.Tensor) =>
  Effect.gen(function* () {
    const identity = yield* Activation.quantIdentity({ actQuant: MySignedBinaryActQuantizer, returnQuantTensor: true })
    return yield* Layer.forward(identity, x, Layer.training)
  })
