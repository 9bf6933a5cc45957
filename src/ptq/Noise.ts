/**
 * Signal and noise: how much of what a network answers in floats is left when it is quantized.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `core`, `nn`, `tensor`, `./Ptq.ts`. Laws: test/ptq/Choose.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Layer from "../nn/Layer.ts"
import type { NoCalibrationData } from "../tensor/StepErrors.ts"
import * as Ptq from "./Ptq.ts"

/** Sums of squares: of the values in floats, and of what quantization adds to them. */
export interface Noise {
  readonly signal: number
  readonly noise: number
}

/** Nothing was compared. */
export const none: Noise = { signal: 0, noise: 0 }

const isOne = (y: Layer.Values): y is Layer.Value => y instanceof tf.Tensor || QuantTensor.isQuantTensor(y)

/** The values that a layer answers, as they are without their formats. */
export const valuesOf = (y: Layer.Values): ReadonlyArray<tf.Tensor> =>
  isOne(y) ? [QuantTensor.dequantized(y)] : Object.values(y).map(QuantTensor.dequantized)

/** The sums after one more answer; call it within a `tf.tidy`. */
export const added = (before: Noise, float: Layer.Values, quantized: Layer.Values): Noise => {
  const others = valuesOf(quantized)
  return valuesOf(float).reduce(({ signal, noise }, x, i) => {
    const squares = [x, tf.sub(x, others[i] as tf.Tensor)].map((one) => tf.sum(tf.square(one)))
    const [s = Number.NaN, n = Number.NaN] = tf.stack(squares).dataSync()
    return { signal: signal + s, noise: noise + n }
  }, before)
}

/**
 * The ratio of signal to noise in decibels: infinite where nothing is lost.
 *
 * - formula:  `10 log10(sum x^2 / sum (x - x_Q)^2)`
 * - shapes:   two numbers to one
 * - gradient: none
 * - errors:   none; NaN where there is neither
 * - source:   PyTorch, torch.ao.ns (compute_sqnr)
 */
export const decibels = ({ signal, noise }: Noise): number => 10 * Math.log10(signal / noise)

/** Whether both sums are finite, so that there is something to tell. */
export const isKnown = ({ signal, noise }: Noise): boolean => Number.isFinite(signal) && Number.isFinite(noise)

/** Decibels as a text: one digit behind the point. */
export const shown = (noise: Noise): string => {
  const ratio = decibels(noise)
  return Number.isNaN(ratio) ? "–" : Number.isFinite(ratio) ? ratio.toFixed(1) : ratio > 0 ? "∞" : "-∞"
}

/**
 * What a quantized model answers otherwise than a float one, over batches; the float one computes without its quantizers, if it has
 * any. Nothing is changed.
 *
 * - formula:  `sum f(x)^2` and `sum (f(x) - f_Q(x))^2`
 * - shapes:   as the models take them
 * - gradient: none
 * - errors:   NoCalibrationData; InputError of the models
 * - source:   as `decibels`
 *
 * @category choosing
 * @since 0.4.0
 */
export const between = <E = never, R = never>(
  float: Ptq.Model,
  quantized: Ptq.Model,
  batches: Ptq.Batches<E, R>
): Effect.Effect<Noise, NoCalibrationData | Layer.InputError | E, R> =>
  Effect.gen(function* () {
    const plain = Layer.without(Layer.evaluation)
    const sums = { noise: none }
    const seen = (batch: Ptq.Batch) =>
      Layer.attempt(() => {
        tf.tidy(() => {
          const x = Ptq.inputOf(batch)
          const [y] = float.apply(Layer.prepare(Layer.read(float), plain), x, plain)
          const [q] = quantized.apply(Layer.prepare(Layer.read(quantized), Layer.evaluation), x, Layer.evaluation)
          sums.noise = added(sums.noise, y, q)
        })
      })
    yield* Ptq.passed(batches, seen, { step: "Noise" })
    return sums.noise
  })
