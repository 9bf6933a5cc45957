import type * as tf from "@tensorflow/tfjs-core"
import { Activation, Layer } from "breve"
import { Effect } from "effect"
import { MySignedBinaryActQuantizer } from "./cell15.ts"

export const run = (x: tf.Tensor) =>
  Effect.gen(function* () {
    const identity = yield* Activation.quantIdentity({
      actQuant: MySignedBinaryActQuantizer,
      act: { scalingInit: 0.001 },
      returnQuantTensor: true
    })
    return yield* Layer.forward(identity, x, Layer.training)
  })
