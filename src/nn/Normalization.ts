/**
 * Batch normalization, as a layer, as a quantized scale and bias, and merged into the layer before it.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `op`, `proxy`, `tensor`, `./Layer.ts`, `./Weighted.ts`, `./Weightless.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as BatchNorm from "../op/BatchNorm.ts"
import * as Cell from "../proxy/Cell.ts"
import { InvalidOptions, ShapeMismatch } from "../tensor/LayerErrors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Layer from "./Layer.ts"
import type { Overrides } from "./Slot.ts"
import * as State from "./State.ts"
import * as Weighted from "./Weighted.ts"
import * as Weightless from "./Weightless.ts"

/** A layer that normalizes; its own cell has `weight`, `bias`, and `runningMean`, `runningVar` in its memory. */
export interface Normalizing extends Layer.Layer {
  readonly own: Cell.Cell
  readonly channels: number
  readonly epsilon: number
}

interface NormOptions {
  readonly channels: number
  /** added to the variance; default: 1e-5 */
  readonly epsilon?: number
  /** how much of a batch's statistics goes into the running ones; default: 0.1 */
  readonly momentum?: number
}

const refuse = (option: string, reason: string): Effect.Effect<never, InvalidOptions> =>
  Effect.fail(new InvalidOptions({ what: "BatchNorm", option, reason }))

/**
 * Batch normalization over the last axis: with the statistics of the batch in training, with running ones in evaluation.
 *
 * - formula:  `y = (x - mean) / sqrt(variance + eps) * weight + bias`; in training the running statistics move by `momentum` towards
 *   those of the batch, the variance divided by `n - 1`
 * - shapes:   `x [...d, channels] -> y [...d, channels]`
 * - gradient: as `BatchNorm.byBatch` in training; `dx = dy weight / sqrt(variance + eps)` in evaluation
 * - errors:   InvalidOptions for options that cannot be; ShapeMismatch for other channels
 * - source:   Ioffe and Szegedy 2015, arXiv:1502.03167; PyTorch, torch.nn.BatchNorm2d
 *
 * @since 0.3.0
 */
export const batchNorm = (options: NormOptions): Effect.Effect<Normalizing, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const { channels, epsilon = 1e-5, momentum = 0.1 } = options
    if (!(Number.isInteger(channels) && channels > 0))
      return yield* refuse("channels", `must be a whole number above 0; it is ${channels}`)
    if (!(epsilon >= 0)) return yield* refuse("epsilon", `must not be negative; it is ${epsilon}`)
    if (!(momentum >= 0 && momentum <= 1)) return yield* refuse("momentum", `must lie within 0..1; it is ${momentum}`)
    const first = yield* Effect.acquireRelease(
      Effect.sync(() => ({
        parameters: { weight: tf.ones([channels]), bias: tf.zeros([channels]) },
        memory: { runningMean: tf.zeros([channels]), runningVar: tf.ones([channels]) }
      })),
      ({ parameters, memory }) => Effect.sync(() => tf.dispose([parameters, memory] as unknown as tf.TensorContainer))
    )
    const own = yield* LeasedRef.make(Cell.living(first))
    const kind = "BatchNorm"
    const apply: Layer.Layer["apply"] = (states, given, mode) => {
      const x = QuantTensor.dequantized(given)
      Weightless.expectShape(kind, x, ["...", channels])
      const { parameters, memory } = Layer.stateOf(states, own)
      const [scale, offset] = [parameters.weight as tf.Tensor, parameters.bias as tf.Tensor]
      const [mean, variance] = [memory.runningMean as tf.Tensor, memory.runningVar as tf.Tensor]
      if (!mode.training) {
        const { weight, bias } = BatchNorm.affine({ mean, variance }, scale, offset, epsilon)
        return [tf.add(tf.mul(x, weight), bias), states]
      }
      const batch = BatchNorm.moments(x)
      const count = x.size / channels
      // of nothing there are no statistics
      if (count === 0) return [BatchNorm.byBatch(x, batch, scale, offset, epsilon), states]
      const moved = (old: tf.Tensor, now: tf.Tensor): tf.Tensor =>
        tf.add(tf.mul(old, 1 - momentum), tf.mul(now, momentum))
      const next = {
        runningMean: moved(mean, batch.mean),
        runningVar: moved(variance, tf.mul(batch.variance, count / Math.max(1, count - 1)))
      }
      return [BatchNorm.byBatch(x, batch, scale, offset, epsilon), Layer.remember(states, own, next)]
    }
    const form = { op: "batchNorm", epsilon, over: "channels" } as const
    return { kind, form, own, channels, epsilon, cells: [["", own] as const], proxies: [], apply }
  })

// ---- as a scale and a bias ----------------------------------------------------------------------------------

export interface ScaleBiasOptions<PW, W, PB, B, PI, I, PO, O> extends Weighted.Options<PW, W, PB, B, PI, I, PO, O> {
  readonly channels: number
}

/**
 * A quantized scale and bias for each channel, which is the last axis: what a batch normalization is in evaluation.
 *
 * - formula:  `y = Q(x) * Q(weight) + Q(bias)`, each `Q` where there is a quantizer
 * - shapes:   `x [...d, channels], weight, bias [channels] -> y [...d, channels]`
 * - gradient: through every quantizer
 * - errors:   ShapeMismatch for other channels
 * - source:   Brevitas, nn/quant_scale_bias.py
 *
 * @since 0.3.0
 */
export const quantScaleBias = <
  PW,
  PB,
  PI,
  PO,
  const W extends Overrides = {},
  const B extends Overrides = {},
  const I extends Overrides = {},
  const O extends Overrides = {}
>(
  options: ScaleBiasOptions<PW, W, PB, B, PI, I, PO, O>
): Effect.Effect<Weighted.Weighted, Layer.BuildError, Scope.Scope> => {
  const { channels } = options
  return Weighted.make(
    {
      kind: "QuantScaleBias",
      form: { op: "scaleBias" },
      weightShape: [channels],
      fanIn: 1,
      outChannels: channels,
      outputChannelAxis: 0,
      products: () => 1,
      initial: () => ({ weight: tf.ones([channels]), bias: tf.zeros([channels]) }),
      formula: (x, weight, bias) => {
        Weightless.expectShape("QuantScaleBias", x, ["...", weight.shape[0] as number])
        const y = tf.mul(x, weight)
        return bias === undefined ? y : tf.add(y, bias)
      }
    },
    options as unknown as Weighted.Erased
  )
}

/** What a batch normalization is made of, by the names of a state. */
export interface Statistics {
  readonly weight: tf.Tensor
  readonly bias: tf.Tensor
  readonly runningMean: tf.Tensor
  readonly runningVar: tf.Tensor
}

/** The state of a `quantScaleBias` that does what a batch normalization does in evaluation; the caller's to dispose. */
export const scaleAndBias = (
  { weight, bias, runningMean, runningVar }: Statistics,
  epsilon = 1e-5
): { readonly weight: tf.Tensor; readonly bias: tf.Tensor } =>
  tf.tidy(() => ({ ...BatchNorm.affine({ mean: runningMean, variance: runningVar }, weight, bias, epsilon) }))

// ---- merged -------------------------------------------------------------------------------------------------

/**
 * Merges a batch normalization into the layer before it, which then does the work of both; its quantizers begin anew.
 *
 * - formula:  `W_c <- W_c f_c`, `b_c <- b_c f_c + bias_c - mean_c f_c` with `f = weight / sqrt(variance + eps)`; a missing b counts as 0
 * - shapes:   weight and bias of the layer, `[channels]` of the normalization
 * - gradient: none
 * - errors:   ShapeMismatch where the layer has other output channels; nothing is changed then
 * - source:   Jacob et al. 2018, arXiv:1712.05877; Brevitas, nn/utils.py (merge_bn)
 *
 * @since 0.3.0
 */
export const mergeInto = (
  layer: Weighted.Weighted,
  statistics: Statistics,
  epsilon = 1e-5
): Effect.Effect<State.Loaded, Effect.Error<ReturnType<typeof State.assign>>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { weight, bias } = LeasedRef.current(layer.own).parameters as { weight: tf.Tensor; bias?: tf.Tensor }
      const { outputChannelAxis: axis, kind } = layer
      const channels = weight.shape[axis]
      for (const [name, { shape }] of Object.entries(statistics))
        if (!(shape.length === 1 && shape[0] === channels)) {
          const what = `the ${name} of the normalization after ${kind}`
          return yield* new ShapeMismatch({ what, expected: `[${channels}]`, actual: shape })
        }
      const merged = yield* Effect.acquireRelease(
        Effect.sync(() => mergedWith(weight, bias, axis, scaleAndBias(statistics, epsilon))),
        (made) => Effect.sync(() => tf.dispose(made))
      )
      if (bias !== undefined) return yield* State.assign(layer, merged)
      const { memory, parameters } = LeasedRef.current(layer.own)
      Cell.commit(layer.own, { memory, parameters: { ...parameters, bias: tf.zeros(merged.bias.shape) } })
      return yield* Effect.onError(State.assign(layer, merged), () =>
        Effect.sync(() => Cell.commit(layer.own, { memory, parameters }))
      )
    })
  )

/** Weight and bias times a factor for each channel, and an offset; the factors are disposed. */
const mergedWith = (
  weight: tf.Tensor,
  bias: tf.Tensor | undefined,
  axis: number,
  by: { readonly weight: tf.Tensor; readonly bias: tf.Tensor }
): { readonly weight: tf.Tensor; readonly bias: tf.Tensor } => {
  const along = weight.shape.map((_, i) => (i === axis ? by.weight.size : 1))
  const merged = tf.tidy(() => ({
    weight: tf.mul(weight, tf.reshape(by.weight, along)),
    bias: bias === undefined ? tf.clone(by.bias) : tf.add(tf.mul(bias, by.weight), by.bias)
  }))
  tf.dispose([by.weight, by.bias])
  return merged
}
