import * as tf from "@tensorflow/tfjs-core"
import { ClipWeights, State } from "breve"
import { Effect } from "effect"
import { network } from "../float.ts"

/** Weights no larger than a threshold: far outliers would set the scale of all others. */
export const example = Effect.gen(function* () {
  const clipped = yield* ClipWeights.clip({ threshold: 0.2 })(yield* network)
  const { "fc1.weight": weight } = yield* State.parameters(clipped)
  return tf.tidy(() => [tf.min(weight as tf.Tensor), tf.max(weight as tf.Tensor)])
})

export const shows = [-0.2, 0.2]
