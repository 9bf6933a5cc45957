/**
 * Bias correction: what the quantization of a layer shifts its outputs by, taken back by its bias.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `core`, `nn`, `proxy`, `tensor`, `./Ptq.ts`. Laws: test/ptq/Steps.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Layer from "../nn/Layer.ts"
import type * as Cell from "../proxy/Cell.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import { type NoCalibrationData, NonFiniteActivations } from "../tensor/StepErrors.ts"
import * as Ptq from "./Ptq.ts"

export interface Options extends Ptq.Reporting {
  /** whether layers without a bias get one; default: true */
  readonly create?: boolean
}

/** The shift of each channel, averaged over calls. */
interface Shift {
  readonly calls: number
  readonly data: Float64Array
}

const plain = Layer.without(Layer.evaluation)
/** Sums as they are before they are quantized again. */
const sums = Layer.without(Layer.evaluation, ["output"])

const value = (answer: Layer.Value): tf.Tensor => QuantTensor.dequantized(answer)

/** The mean difference of each channel, the last axis. */
const shiftOf = (float: tf.Tensor, quantized: tf.Tensor): ArrayLike<number> => {
  const axes = float.shape.slice(0, -1).map((_, i) => i)
  return tf.mean(tf.sub(float, quantized), axes).dataSync()
}

const averaged = (before: Shift | undefined, shift: ArrayLike<number>): Shift => {
  const calls = (before?.calls ?? 0) + 1
  const data = Float64Array.from(shift, (x, i) => {
    const old = before?.data[i] ?? 0
    return old + (x - old) / calls
  })
  return { calls, data }
}

/**
 * Adds to the bias of each layer with a weight what its quantization takes away on average: every layer gets what the layers before
 * it give without their own quantization, computes with and without its own, and the mean difference of each channel is added. Where
 * there is no bias, one is made.
 *
 * - formula:  `b <- b + mean(f(x) - f_Q(x))` over samples and positions, averaged over batches; the output's quantizer is left out
 * - shapes:   as the model takes them; `b [channels]`
 * - gradient: none
 * - errors:   NoCalibrationData; NonFiniteActivations, which names the layer; InputError of the model; the model is
 *   never changed
 * - source:   Nagel et al. 2019, arXiv:1906.04721 (section 4.2); Brevitas, graph/calibrate.py (bias_correction_mode)
 *
 * @category correcting
 * @since 0.3.0
 */
export const correct =
  <E = never, R = never>(
    batches: Ptq.Batches<E, R>,
    options: Options = {}
  ): Ptq.Step<NoCalibrationData | NonFiniteActivations | Layer.InputError | E, R> =>
  (model) =>
    Effect.gen(function* () {
      const step = "BiasCorrection"
      const layers = Ptq.weighted(model)
      const hasBias = ({ layer }: Ptq.Named): boolean => LeasedRef.current(layer.own).parameters.bias !== undefined
      const targets = layers.filter((target) => options.create !== false || hasBias(target))
      const shifts = new Map<Cell.Cell, Shift>()
      // other layers hand their inputs on without quantization as well, whether their bias may change or not
      const cells = new Set(layers.map(({ layer }) => layer.own))
      const watched = Ptq.wrapping(model, cells, (layer) => (states, x) => {
        const [float] = layer.apply(states, x, plain)
        const [quantized] = layer.apply(states, x, sums)
        shifts.set(layer.own, averaged(shifts.get(layer.own), shiftOf(value(float), value(quantized))))
        return [value(float), states]
      })
      const add = (batch: Ptq.Batch) =>
        Layer.attempt(() => {
          tf.tidy(() => {
            watched.apply(Layer.prepare(Layer.read(model), Layer.evaluation), Ptq.inputOf(batch), sums)
          })
        })
      const count = yield* Ptq.passed(batches, add, { step, report: options.report })
      const reached = targets.filter(({ layer }) => shifts.has(layer.own))
      const wrong = reached.find(({ layer }) => shifts.get(layer.own)?.data.every(Number.isFinite) === false)
      if (wrong !== undefined) return yield* new NonFiniteActivations({ step, layer: wrong.name })
      const next = yield* Ptq.rewritten(model, correctedBy(reached, shifts))
      const skipped = layers
        .filter((one) => !reached.includes(one))
        .map((one) => ({
          layer: one.name,
          reason: targets.includes(one) ? "no batch reached it" : "it has no bias, and none is to be made"
        }))
      const done = reached.map(({ name }) => name)
      yield* Ptq.told(options, { _tag: "StepDone", step, layers: done, skipped, batches: count })
      return next
    })

/** The biases with the shifts added. */
const correctedBy = (targets: ReadonlyArray<Ptq.Named>, shifts: ReadonlyMap<Cell.Cell, Shift>): Ptq.Overlay =>
  new Map(
    targets.map(({ layer: { own } }) => {
      const shift = shifts.get(own)?.data ?? new Float64Array()
      const before = Ptq.hostOf(LeasedRef.current(own).parameters, "bias")?.data
      const data = Float32Array.from(shift, (x, i) => (before?.[i] ?? 0) + x)
      return [own, { bias: { shape: [data.length], data } }]
    })
  )
