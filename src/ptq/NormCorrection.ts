/**
 * Norm correction: batch normalizations whose statistics move towards those that the quantized network has.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `core`, `nn`, `op`, `proxy`, `tensor`, `./Ptq.ts`. Laws: test/ptq/Correction.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Fork from "../nn/Fork.ts"
import * as Layer from "../nn/Layer.ts"
import type { Normalizing } from "../nn/Normalization.ts"
import * as BatchNorm from "../op/BatchNorm.ts"
import type * as Cell from "../proxy/Cell.ts"
import { type NoCalibrationData, NonFiniteActivations } from "../tensor/StepErrors.ts"
import type * as Tree from "../tensor/Tree.ts"
import * as Ptq from "./Ptq.ts"

/** Mean and variance of each channel, averaged over calls. */
interface Seen {
  readonly calls: number
  readonly mean: Float64Array
  readonly variance: Float64Array
}

const isNormalizing = (layer: Layer.Stateful): layer is Normalizing =>
  layer.form?.op === "batchNorm" && "own" in layer && "epsilon" in layer

const average = (old: Float64Array | undefined, now: ArrayLike<number>, calls: number): Float64Array =>
  Float64Array.from(now, (x, i) => {
    const before = old?.[i] ?? 0
    return before + (x - before) / calls
  })

const averaged = (before: Seen | undefined, { mean, variance }: BatchNorm.Moments, count: number): Seen => {
  const calls = (before?.calls ?? 0) + 1
  const unbiased = Float64Array.from(variance.dataSync(), (x) => (x * count) / Math.max(1, count - 1))
  return {
    calls,
    mean: average(before?.mean, mean.dataSync(), calls),
    variance: average(before?.variance, unbiased, calls)
  }
}

/** A batch normalization as in training, which notes the statistics of each call. */
const noting =
  (layer: Normalizing, seen: Map<Cell.Cell, Seen>): Layer.Layer["apply"] =>
  (states, given) => {
    const whole = QuantTensor.dequantized(given)
    // one that takes all values together has one channel
    const x = layer.channels === 1 ? tf.reshape(whole, [-1, 1]) : whole
    const { parameters } = Layer.stateOf(states, layer.own)
    const moments = BatchNorm.moments(x)
    seen.set(layer.own, averaged(seen.get(layer.own), moments, x.size / layer.channels))
    const [scale, offset] = [parameters.weight as tf.Tensor, parameters.bias as tf.Tensor]
    return [tf.reshape(BatchNorm.byBatch(x, moments, scale, offset, layer.epsilon), whole.shape), states]
  }

/** Lets batches run with normalizations that normalize each by its own statistics, and moves the running ones. */
const following =
  <E, R>(
    batches: Ptq.Batches<E, R>,
    about: { readonly step: string; readonly mode: Layer.Mode } & Ptq.Reporting,
    moved: (old: Tree.Memory, seen: Seen) => Tree.Memory
  ): Ptq.Step<NoCalibrationData | NonFiniteActivations | Layer.InputError | E, R> =>
  (model) =>
    Effect.gen(function* () {
      const { step, mode } = about
      const seen = new Map<Cell.Cell, Seen>()
      const names = new Map<Cell.Cell, string>()
      const watched = Ptq.replacing(model, (layer, path) => {
        if (!isNormalizing(layer)) return undefined
        if (!names.has(layer.own)) names.set(layer.own, path)
        return { ...layer, apply: noting(layer, seen) } as Layer.Layer
      })
      const add = (batch: Ptq.Batch) =>
        Layer.attempt(() => {
          tf.tidy(() => {
            watched.apply(Layer.prepare(Layer.read(model), mode), Ptq.inputOf(batch), mode)
          })
        })
      const count = yield* Ptq.passed(batches, add, { step, report: about.report })
      const isWhole = ({ mean, variance }: Seen): boolean => [mean, variance].every((x) => x.every(Number.isFinite))
      for (const [cell, one] of seen)
        if (!isWhole(one)) return yield* new NonFiniteActivations({ step, layer: names.get(cell) ?? "" })
      const next = yield* Fork.make(model, (cell, now) => {
        const found = seen.get(cell)
        return found && { parameters: now.parameters, memory: { ...now.memory, ...moved(now.memory, found) } }
      })
      const layers = [...seen.keys()].map((cell) => names.get(cell) ?? "")
      const skipped = [...names.values()]
        .filter((name) => !layers.includes(name))
        .map((layer) => ({ layer, reason: "no batch reached it" }))
      yield* Ptq.told(about, { _tag: "StepDone", step, layers, skipped, batches: count })
      return next
    })

const tensorOf = (values: ArrayLike<number>): tf.Tensor => tf.tensor1d(Float32Array.from(values))

/** Half of the way: the variance in the logarithm. */
const half = (old: Tree.Memory, { mean, variance }: Seen): Tree.Memory => {
  const before = (old.runningVar as tf.Tensor).dataSync()
  return {
    runningMean: tensorOf(mean),
    runningVar: tensorOf(variance.map((v, i) => Math.sqrt(v * (before[i] as number))))
  }
}

/**
 * Measures the statistics of every batch normalization in the quantized network, where it normalizes each batch by the batch's own, and
 * moves the running ones: the mean to what was measured, the variance half of the way in the logarithm.
 *
 * - formula:  `mean <- m`, `var <- var / sqrt(var / v) = sqrt(var v)`, m and v the averages over batches of mean and unbiased variance
 * - shapes:   as the model takes them; `mean, var [channels]`
 * - gradient: none
 * - errors:   NoCalibrationData; NonFiniteActivations, which names the normalization; InputError of the model; the model is never changed
 * - source:   Brevitas, graph/calibrate.py (norm_correction_mode)
 *
 * @category correcting
 * @since 0.4.0
 */
export const correct = <E = never, R = never>(
  batches: Ptq.Batches<E, R>,
  options: Ptq.Reporting = {}
): Ptq.Step<NoCalibrationData | NonFiniteActivations | Layer.InputError | E, R> =>
  following(batches, { ...options, step: "NormCorrection", mode: Layer.evaluation }, half)

/**
 * Measures the statistics of every batch normalization anew: the running ones become the averages of those of the batches, in the
 * quantized network or in the float one. What they were before counts no longer.
 *
 * - formula:  `mean <- m`, `var <- v`, the averages over batches of mean and unbiased variance; each batch is normalized by its own
 * - shapes:   as the model takes them; `mean, var [channels]`
 * - gradient: none
 * - errors:   NoCalibrationData; NonFiniteActivations, which names the normalization; InputError of the model; the model is never changed
 * - source:   Sun et al. 2019, "Hybrid 8-bit floating point training" (section 3, batch norm re-tuning); PyTorch, torch.optim.swa_utils.update_bn
 *
 * @category correcting
 * @since 0.4.0
 */
export const reestimate = <E = never, R = never>(
  batches: Ptq.Batches<E, R>,
  options: Ptq.Reporting & {
    /** whether the network is quantized meanwhile; default: true */
    readonly quantized?: boolean
  } = {}
): Ptq.Step<NoCalibrationData | NonFiniteActivations | Layer.InputError | E, R> => {
  const mode = options.quantized === false ? Layer.without(Layer.evaluation) : Layer.evaluation
  const about = { report: options.report, step: "BatchNormReestimation", mode }
  return following(batches, about, (_, { mean, variance }) => ({
    runningMean: tensorOf(mean),
    runningVar: tensorOf(variance)
  }))
}
