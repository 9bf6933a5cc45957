/**
 * Layer normalization: each position is normalized over its channels, in training as in evaluation.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `proxy`, `tensor`, `./Layer.ts`, `./Weightless.ts`.
 * Laws: test/nn/LayerNorm.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Cell from "../proxy/Cell.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Layer from "./Layer.ts"
import * as Weightless from "./Weightless.ts"

/** A layer that normalizes over the last axis; its own cell has `weight`, and `bias` if it is centered. */
export interface LayerNorm extends Layer.Layer {
  readonly own: Cell.Cell
  readonly channels: number
  readonly epsilon: number
}

export interface Options {
  readonly channels: number
  /** added to the variance or mean square; default: 1e-5 */
  readonly epsilon?: number
}

const refuse = (what: string, option: string, reason: string): Effect.Effect<never, InvalidOptions> =>
  Effect.fail(new InvalidOptions({ what, option, reason }))

const made = (
  kind: string,
  isCentered: boolean,
  { channels, epsilon = 1e-5 }: Options
): Effect.Effect<LayerNorm, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    if (!(Number.isInteger(channels) && channels > 0))
      return yield* refuse(kind, "channels", `must be a whole number above 0; it is ${channels}`)
    if (!(epsilon >= 0)) return yield* refuse(kind, "epsilon", `must not be negative; it is ${epsilon}`)
    const first = yield* Effect.acquireRelease(
      Effect.sync(() => ({
        weight: tf.ones([channels]),
        ...(isCentered && { bias: tf.zeros([channels]) })
      })),
      (parameters) => Effect.sync(() => tf.dispose(parameters))
    )
    const own = yield* LeasedRef.make(Cell.living({ parameters: first, memory: {} }))
    const apply: Layer.Layer["apply"] = (states, given) => {
      const x = QuantTensor.dequantized(given)
      Weightless.expectShape(kind, x, ["...", channels])
      const { weight, bias } = Layer.stateOf(states, own).parameters as { weight: tf.Tensor; bias?: tf.Tensor }
      const from = isCentered ? tf.sub(x, tf.mean(x, -1, true)) : x
      const size = tf.sqrt(tf.add(tf.mean(tf.square(from), -1, true), epsilon))
      const y = tf.mul(tf.div(from, size), weight)
      return [bias === undefined ? y : tf.add(y, bias), states]
    }
    const form = { op: "layerNorm", epsilon, centered: isCentered } as const
    return { kind, form, own, channels, epsilon, cells: [["", own] as const], proxies: [], apply }
  })

/**
 * Layer normalization over the last axis, with a learned scale and shift.
 *
 * - formula:  `y = (x - mean) / sqrt(variance + eps) * weight + bias`, the variance divided by `n`
 * - shapes:   `x [...d, channels] -> y [...d, channels]`
 * - gradient: of the formula, to the input, the weight and the bias
 * - errors:   InvalidOptions for options that cannot be; ShapeMismatch for other channels
 * - source:   Ba, Kiros, Hinton 2016, arXiv:1607.06450; PyTorch, torch.nn.LayerNorm
 *
 * @since 0.4.0
 */
export const layerNorm = (options: Options): Effect.Effect<LayerNorm, InvalidOptions, Scope.Scope> =>
  made("LayerNorm", true, options)

/**
 * Division by the root of the mean square over the last axis, with a learned scale. A rotation of the channels passes through it
 * where the scale is 1.
 *
 * - formula:  `y = x / sqrt(mean(x^2) + eps) * weight`
 * - shapes:   `x [...d, channels] -> y [...d, channels]`
 * - gradient: of the formula, to the input and the weight
 * - errors:   InvalidOptions for options that cannot be; ShapeMismatch for other channels
 * - source:   Zhang, Sennrich 2019, arXiv:1910.07467; PyTorch, torch.nn.RMSNorm
 *
 * @since 0.4.0
 */
export const rmsNorm = (options: Options): Effect.Effect<LayerNorm, InvalidOptions, Scope.Scope> =>
  made("RMSNorm", false, options)
