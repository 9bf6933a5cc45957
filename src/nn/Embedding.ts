/**
 * A quantized table of vectors.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `proxy`, `quant`, `tensor`, `./Layer.ts`, `./Slot.ts`,
 * `./Slots.ts`, `./Weightless.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result, type Scope } from "effect"
import type { Module } from "../core/Module.ts"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Cell from "../proxy/Cell.ts"
import type { QuantProxy, TrackedModule } from "../proxy/QuantProxy.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import * as Gradient from "../tensor/Gradient.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Random from "../tensor/Random.ts"
import * as Layer from "./Layer.ts"
import * as Slot from "./Slot.ts"
import * as Slots from "./Slots.ts"
import * as Weightless from "./Weightless.ts"

export interface Options<P, W> {
  readonly numEmbeddings: number
  readonly embeddingDim: number
  readonly weightQuant?: Slot.Quant<P, W>
  readonly weight?: W
  /** a row that stands for nothing: it begins as zeros and learns nothing from being looked up */
  readonly paddingIndex?: number
  /** answer with scale, zero-point and width; default: the plain value */
  readonly returnQuantTensor?: boolean
  /** seeds the initial table, which is normally distributed; default: 0 */
  readonly seed?: number
}

interface Erased {
  readonly weightQuant?: Slot.Erased
  readonly weight?: Slot.Overrides
}

/** A layer from whole numbers to the rows of its table. */
export interface Embedding extends Layer.Layer<tf.Tensor> {
  readonly own: Cell.Cell
  readonly weightQuant: QuantProxy | undefined
}

const wrong = (option: string, reason: string): InvalidOptions =>
  new InvalidOptions({ what: "QuantEmbedding", option, reason })

const checked = ({
  numEmbeddings,
  embeddingDim,
  paddingIndex
}: Options<unknown, unknown>): InvalidOptions | undefined => {
  const whole = (x: number, least: number): boolean => Number.isInteger(x) && x >= least
  if (!whole(numEmbeddings, 1)) return wrong("numEmbeddings", `must be a whole number above 0; it is ${numEmbeddings}`)
  if (!whole(embeddingDim, 1)) return wrong("embeddingDim", `must be a whole number above 0; it is ${embeddingDim}`)
  return paddingIndex === undefined || (whole(paddingIndex, 0) && paddingIndex < numEmbeddings)
    ? undefined
    : wrong("paddingIndex", `must be one of the ${numEmbeddings} rows; it is ${paddingIndex}`)
}

const initial = ({ numEmbeddings: rows, embeddingDim: columns, paddingIndex, seed = 0 }: Options<unknown, unknown>) => {
  const values = Random.normal(Random.split(Random.make(seed), "weight"), rows * columns, 0, 1)
  if (paddingIndex !== undefined) values.fill(0, paddingIndex * columns, (paddingIndex + 1) * columns)
  return tf.tensor(values, [rows, columns])
}

/** The same value, without a gradient where the index is that of the padding. */
const withoutPadding = (y: tf.Tensor, indices: tf.Tensor, paddingIndex: number): tf.Tensor => {
  const isPadding = tf.expandDims(tf.equal(indices, tf.scalar(paddingIndex, "int32")), -1)
  return tf.where(tf.broadcastTo(isPadding, y.shape), Gradient.stopped(y), y)
}

/**
 * Looks up rows of a quantized table.
 *
 * - formula:  `y[...i] = Q(W)[x[...i]]`
 * - shapes:   `x [...d] (int32), W [numEmbeddings, embeddingDim] -> y [...d, embeddingDim]`
 * - gradient: `dW[k]` = the sum of `dy[i]` over `x[i] = k`, through the quantizer; none from the padding
 * - errors:   InvalidOptions for options that cannot be, and for an index that is not in the table; MissingInput where a quant tensor is
 *   asked for and the table is not quantized
 * - source:   Brevitas, nn/quant_embedding.py
 *
 * @since 0.3.0
 */
export const quantEmbedding = <P, const W extends Slot.Overrides = {}>(
  options: Options<P, W>
): Effect.Effect<Embedding, Layer.BuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const plainly = options as unknown as Options<unknown, unknown>
    const { weightQuant: quant, weight: overrides } = options as unknown as Erased
    const bad = checked(plainly)
    if (bad !== undefined) return yield* bad
    const first = yield* Effect.acquireRelease(
      Effect.sync(() => ({ parameters: { weight: initial(plainly) }, memory: {} })),
      ({ parameters }) => Effect.sync(() => parameters.weight.dispose())
    )
    // the table lies in PyTorch as it does here
    const own = yield* LeasedRef.make(Cell.own(first, { weight: [{ keys: ["weight"] }] }))
    const kind = "QuantEmbedding"
    const module: TrackedModule = (candidates): Module => {
      const { weight } = candidates(own) ?? LeasedRef.current(own).parameters
      return { kind, weight: weight as tf.Tensor, outChannels: options.numEmbeddings, outputChannelAxis: 0 }
    }
    const fallback = ScaledInt.Int8WeightPerTensorFloat
    const weightQuant = yield* Slot.proxyFor("weight", quant, overrides, fallback, module)
    const proxies = Slots.named({ weightQuant })
    const { paddingIndex, returnQuantTensor } = plainly
    const apply: Embedding["apply"] = (states, indices, mode) => {
      const weight = Layer.stateOf(states, own).parameters.weight as tf.Tensor
      const [table, after] =
        weightQuant === undefined ? [weight, states] : Layer.quantize(states, weightQuant, weight, mode)
      const looked = Result.mapError(QuantTensor.rows(table, indices), (error) =>
        error._tag === "InvalidOptions" ? wrong(error.option, error.reason) : error
      )
      const found = Weightless.thrown(looked)
      const padded = (y: tf.Tensor): tf.Tensor =>
        paddingIndex === undefined ? y : withoutPadding(y, indices, paddingIndex)
      if (returnQuantTensor === true && QuantTensor.isQuantTensor(found))
        return [{ ...found, value: padded(found.value) }, after]
      if (returnQuantTensor === true && !Layer.mayBePlain(mode)) throw Weightless.plainAnswer(kind)
      return [padded(QuantTensor.dequantized(found)), after]
    }
    const cells = [["", own] as const, ...Slots.cellsOf(proxies)]
    return { kind, form: { op: "gather" }, own, weightQuant, proxies, cells, apply }
  })
