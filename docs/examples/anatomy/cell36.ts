import type * as tf from "@tensorflow/tfjs-core"
import { Activation, Layer } from "breve"
import { Effect } from "effect"
import { AdvancedActQuantizer } from "./cell31.ts"

export const run = (x: tf.Tensor) =>
  Effect.gen(function* () {
    const identity = yield* Activation.quantIdentity({
      actQuant: AdvancedActQuantizer,
      act: { isClamped: true, scalingPerOutputChannel: true, perChannelBroadcastableShape: [4, 1] },
      returnQuantTensor: true
    })
    return yield* Layer.forward(identity, x, Layer.training)
  })
