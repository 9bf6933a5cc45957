import * as tf from "@tensorflow/tfjs-core"
import { BinaryQuant, Brick, Scaling, TensorQuantizer } from "breve"
import { Effect } from "effect"

const byHand = Effect.acquireRelease(
  Effect.sync(() => BinaryQuant.BinaryQuant({ scalingImpl: Scaling.ParameterScaling({ scalingInit: 0.1 }) })),
  (brick) => Effect.sync(() => Brick.dispose(brick))
)

export const run = (x: tf.Tensor) =>
  Effect.map(byHand, (quantizer) => tf.tidy(() => ({ ...TensorQuantizer.quantize(quantizer, x) })))
