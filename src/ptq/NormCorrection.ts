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
import { type NoCalibrationData, NonFiniteActivations } from "../tensor/Errors.ts"
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
    const x = QuantTensor.dequantized(given)
    const { parameters } = Layer.stateOf(states, layer.own)
    const moments = BatchNorm.moments(x)
    seen.set(layer.own, averaged(seen.get(layer.own), moments, x.size / layer.channels))
    const [scale, offset] = [parameters.weight as tf.Tensor, parameters.bias as tf.Tensor]
    return [BatchNorm.byBatch(x, moments, scale, offset, layer.epsilon), states]
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
export const correct =
  <E = never, R = never>(
    batches: Ptq.Batches<E, R>,
    options: Ptq.Reporting = {}
  ): Ptq.Step<NoCalibrationData | NonFiniteActivations | Layer.InputError | E, R> =>
  (model) =>
    Effect.gen(function* () {
      const step = "NormCorrection"
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
            watched.apply(Layer.prepare(Layer.read(model), Layer.evaluation), Ptq.inputOf(batch), Layer.evaluation)
          })
        })
      const count = yield* Ptq.passed(batches, add, { step, report: options.report })
      const isWhole = ({ mean, variance }: Seen): boolean => [mean, variance].every((x) => x.every(Number.isFinite))
      for (const [cell, one] of seen)
        if (!isWhole(one)) return yield* new NonFiniteActivations({ step, layer: names.get(cell) ?? "" })
      const next = yield* Fork.make(model, (cell, now) => {
        const found = seen.get(cell)
        return found && { parameters: now.parameters, memory: { ...now.memory, ...moved(now, found) } }
      })
      const layers = [...seen.keys()].map((cell) => names.get(cell) ?? "")
      const skipped = [...names.values()]
        .filter((name) => !layers.includes(name))
        .map((layer) => ({ layer, reason: "no batch reached it" }))
      yield* Ptq.told(options, { _tag: "StepDone", step, layers, skipped, batches: count })
      return next
    })

const moved = ({ memory }: Cell.Living, { mean, variance }: Seen): Cell.State["memory"] => {
  const old = (memory.runningVar as tf.Tensor).dataSync()
  return {
    runningMean: tf.tensor1d(Float32Array.from(mean)),
    runningVar: tf.tensor1d(Float32Array.from(variance, (v, i) => Math.sqrt(v * (old[i] as number))))
  }
}
