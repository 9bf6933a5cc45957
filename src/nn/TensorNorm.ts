/**
 * Normalization of a tensor as a whole: what follows the last layer of networks of one or two bits, so that their outputs fit a loss.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `tensor`, `./Layer.ts`, `./Normalization.ts`. Laws: test/nn/TensorNorm.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import type { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Normalization from "./Normalization.ts"

export interface Options {
  /** added to the variance; default: 1e-4 */
  readonly epsilon?: number
  /** how much of a batch's statistics goes into the running ones; default: 0.1 */
  readonly momentum?: number
}

/**
 * Batch normalization of all values together: one mean, one variance, one learned scale and bias, so that outputs stay in proportion
 * to each other.
 *
 * - formula:  `y = (x - mean) / sqrt(variance + eps) * weight + bias`, mean and variance over all of x; else as `batchNorm`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: as `batchNorm` of one channel
 * - errors:   InvalidOptions for options that cannot be
 * - source:   Brevitas, bnn_pynq/models/tensor_norm.py
 *
 * @since 0.3.0
 */
export const tensorNorm = (
  options: Options = {}
): Effect.Effect<Normalization.Normalizing, InvalidOptions, Scope.Scope> =>
  Effect.map(Normalization.batchNorm({ epsilon: 1e-4, ...options, channels: 1 }), (norm) => ({
    ...norm,
    kind: "TensorNorm",
    form: { op: "batchNorm", epsilon: norm.epsilon, over: "all" },
    apply: (states, given, mode) => {
      const x = QuantTensor.dequantized(given)
      const [y, after] = norm.apply(states, tf.reshape(x, [-1, 1]), mode)
      return [tf.reshape(QuantTensor.dequantized(y), x.shape), after]
    }
  }))
