/**
 * Quantized multi-head attention.
 *
 * Its names are those of Brevitas in camel case: `inProj.weight`, `qScaledQuant.actQuant`; PyTorch's `in_proj_weight` and so on load as
 * well. Weights are `[in, out]`.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `proxy`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Cell from "../proxy/Cell.ts"
import { InvalidOptions, ShapeMismatch } from "../tensor/LayerErrors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Random from "../tensor/Random.ts"
import * as Mask from "./AttentionMask.ts"
import * as Projection from "./AttentionProjection.ts"
import * as Dropout from "./Dropout.ts"
import * as Layer from "./Layer.ts"
import * as ScaledDotProduct from "./ScaledDotProduct.ts"
import * as Slots from "./Slots.ts"
import * as Thread from "./Thread.ts"

// ---- model --------------------------------------------------------------------------------------------------

export interface Options {
  /** features of queries and outputs; a multiple of `numHeads` */
  readonly embedDim: number
  readonly numHeads: number
  /** features of keys; default: `embedDim` */
  readonly kdim?: number
  /** features of values; default: `embedDim` */
  readonly vdim?: number
  /** queries, keys and values come of one product, of one input; default: true where they have the same features */
  readonly packedInProj?: boolean
  /** sequences as `[n, steps, features]`; else `[steps, n, features]`; default: true */
  readonly batchFirst?: boolean
  /** biases of the projections; default: true */
  readonly hasBias?: boolean
  /** a learned key and value behind those of every sequence; default: false */
  readonly addBiasKv?: boolean
  /** a key and value of zeros behind those of every sequence; default: false */
  readonly addZeroAttn?: boolean
  /** queries see no later keys; default: false */
  readonly isCausal?: boolean
  /** how likely an attention weight is dropped in training; default: 0 */
  readonly dropout?: number
  /** whether the weights that are answered are the mean over the heads; default: true */
  readonly averageWeights?: boolean
  /** answer the output with scale, zero-point and width; default: the plain value */
  readonly returnQuantTensor?: boolean
  /** seeds the initial weights and the dropout; default: 0 */
  readonly seed?: number
}

export type Slot = Projection.Slot | ScaledDotProduct.InnerSlot

/** A sequence that attends to itself, or queries that attend to keys and their values, which are the keys unless given. */
export type Input =
  | Layer.Value
  | {
      readonly query: Layer.Value
      readonly key?: Layer.Value | undefined
      readonly value?: Layer.Value | undefined
      /** `[n, s]`: true for keys that nobody sees */
      readonly keyPaddingMask?: tf.Tensor | undefined
      /** `[l, s]` or `[n * heads, l, s]`: truth values, true where a query does not see a key, or floats to add to the scores */
      readonly attnMask?: tf.Tensor | undefined
    }

/** `weights` are `[n, l, s]`, or `[n, heads, l, s]`. */
export type Output = { readonly output: Layer.Value; readonly weights: Layer.Value }

const kind = "QuantMultiheadAttention"

// ---- options ------------------------------------------------------------------------------------------------

const wrongIn = (options: Options): InvalidOptions | undefined => {
  const refused = (option: string, reason: string) => new InvalidOptions({ what: kind, option, reason })
  const { embedDim, numHeads, kdim = embedDim, vdim = embedDim, packedInProj = false } = options
  for (const [name, size] of Object.entries({ embedDim, numHeads, kdim, vdim }))
    if (!(Number.isInteger(size) && size > 0)) return refused(name, `must be a whole number above 0; it is ${size}`)
  if (embedDim % numHeads !== 0)
    return refused("numHeads", `must divide the ${embedDim} features of embedDim; it is ${numHeads}`)
  if (packedInProj && (kdim !== embedDim || vdim !== embedDim))
    return refused("packedInProj", `needs keys and values of ${embedDim} features; they have ${kdim} and ${vdim}`)
  return undefined
}

// ---- inputs -------------------------------------------------------------------------------------------------

type Parts = Exclude<Input, Layer.Value>

const partsOf = (x: Input): Parts => (x instanceof tf.Tensor || QuantTensor.isQuantTensor(x) ? { query: x } : x)

interface Sizes {
  readonly n: number
  readonly l: number
  readonly s: number
}

/** Checks every shape; answers the sizes. */
const checked = (options: Options, parts: Parts): Sizes => {
  const { embedDim, kdim = embedDim, vdim = embedDim, batchFirst = true, numHeads } = options
  const { query, key = query, value = key, keyPaddingMask, attnMask } = parts
  const [n, l] = (batchFirst ? [0, 1] : [1, 0]).map((i) => QuantTensor.shapeOf(query)[i] ?? 0) as [number, number]
  const s = QuantTensor.shapeOf(key)[batchFirst ? 1 : 0] ?? 0
  const check = (what: string, actual: ReadonlyArray<number>, ...expected: ReadonlyArray<ReadonlyArray<number>>) => {
    if (!expected.some((shape) => tf.util.arraysEqual([...shape], [...actual])))
      throw new ShapeMismatch({
        what: `the ${what} of ${kind}`,
        expected: expected.map((shape) => `[${shape.join(", ")}]`).join(" or "),
        actual
      })
  }
  const sequence = (steps: number, features: number) => (batchFirst ? [n, steps, features] : [steps, n, features])
  check("query", QuantTensor.shapeOf(query), sequence(l, embedDim))
  check("key", QuantTensor.shapeOf(key), sequence(s, kdim))
  check("value", QuantTensor.shapeOf(value), sequence(s, vdim))
  if (keyPaddingMask !== undefined) check("keyPaddingMask", keyPaddingMask.shape, [n, s])
  if (attnMask !== undefined) check("attnMask", attnMask.shape, [l, s], [n * numHeads, l, s])
  return { n, l, s }
}

/** The masks of an input as one, for scores `[n, heads, l, s]`. */
const maskOf = (
  { numHeads, isCausal }: Options,
  { keyPaddingMask, attnMask }: Parts,
  { n, l, s }: Sizes
): Mask.Mask => {
  const own = attnMask?.rank === 3 ? tf.reshape(attnMask, [n, numHeads, l, s]) : attnMask
  const masks = [
    ...(own === undefined ? [] : [own.dtype === "bool" ? Mask.blocking(own) : Mask.adding(own)]),
    ...(keyPaddingMask === undefined ? [] : [Mask.blocking(tf.reshape(keyPaddingMask, [n, 1, 1, s]))]),
    ...(isCausal === true ? [Mask.causal(l, s)] : [])
  ]
  return masks.reduce(Mask.both, Mask.none)
}

// ---- the layer ----------------------------------------------------------------------------------------------

/** The learned key and value behind every sequence. */
const biasesOf = ({ embedDim, seed = 0 }: Options): Effect.Effect<Cell.Cell, never, Scope.Scope> => {
  const drawn = (name: string): tf.Tensor => {
    const random = Random.split(Random.make(seed), name)
    return tf.tensor3d(Random.normal(random, embedDim, 0, 1 / Math.sqrt(embedDim)), [1, 1, embedDim])
  }
  return Effect.acquireUseRelease(
    Effect.sync(() => ({ biasK: drawn("biasK"), biasV: drawn("biasV") })),
    (parameters) => LeasedRef.make(Cell.living({ parameters, memory: {} })),
    (parameters) => Effect.sync(() => tf.dispose(parameters))
  )
}

/** The names of layers within this one, before their own. */
const prefixed = <A>(name: string, all: ReadonlyArray<readonly [string, A]>): ReadonlyArray<readonly [string, A]> =>
  all.map(([inner, one]) => [inner === "" ? name : `${name}.${inner}`, one])

/**
 * Quantized attention of several heads. A mask of truth values, or infinite, is put up after the scores were quantized, so that a
 * quantizer of the scores sees finite ones only.
 *
 * - formula:  of each head: `softmax(Q_q(q / sqrt(e)) Q_k(k)ᵀ + mask) Q_v(v)`, the softmax quantized; `q, k, v` and the output by
 *   `Q(x) Q(W) + Q(b)`
 * - shapes:   `query [n, l, embed], key [n, s, kdim], value [n, s, vdim] -> output [n, l, embed], weights [n, l, s]`
 * - gradient: through every quantizer, also to a mask of floats
 * - errors:   InvalidOptions for options that cannot be, and for other keys or values than the query with `packedInProj`; ShapeMismatch;
 *   MissingInput as linear layers; NaN for a query that may see no key
 * - source:   Vaswani et al. 2017, arXiv:1706.03762; Brevitas, nn/quant_mha.py
 *
 * @since 0.3.0
 */
export const quantMultiheadAttention = <const O extends Options & Slots.Given<Slot>>(
  options: O & Slots.Checked<O, Slot, keyof Options>
): Effect.Effect<Layer.Layer<Input, Output>, Layer.BuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const given: Options & Slots.Given<Slot> = options
    const wrong = wrongIn(given)
    if (wrong !== undefined) return yield* wrong
    const { embedDim, numHeads, kdim = embedDim, vdim = embedDim, hasBias = true, seed = 0 } = given
    const { batchFirst = true, packedInProj = kdim === embedDim && vdim === embedDim } = given
    const headDim = embedDim / numHeads
    const projection = (name: string, inFeatures: number, outFeatures = embedDim) =>
      Effect.map(
        Projection.make({ name, inFeatures, outFeatures, hasBias, seed }, given),
        (layer) => [name, layer] as const
      )
    const into = packedInProj
      ? [yield* projection("inProj", embedDim, 3 * embedDim)]
      : [yield* projection("qProj", embedDim), yield* projection("kProj", kdim), yield* projection("vProj", vdim)]
    const out = yield* projection("outProj", embedDim)
    const quants = yield* ScaledDotProduct.innerQuants(given, yield* Slots.bareModule(kind))
    const biasKv = given.addBiasKv === true ? yield* biasesOf(given) : undefined
    const dropout = yield* Dropout.dropout({ probability: given.dropout ?? 0, seed })

    const call = (thread: Thread.Thread, [name, layer]: readonly [string, Layer.Layer], x: Layer.Value): Layer.Value =>
      Layer.located(name, () => Thread.call(thread, layer, x))
    /** Queries, keys and values, in the layout of the input. */
    const projected = (thread: Thread.Thread, { query, key = query, value = key }: Parts): ReadonlyArray<tf.Tensor> => {
      if (!packedInProj)
        return [query, key, value].map((x, i) =>
          QuantTensor.dequantized(call(thread, into[i] as (typeof into)[number], x))
        )
      if (key !== query || value !== query)
        throw new InvalidOptions({
          what: kind,
          option: "packedInProj",
          reason: "projects one input for queries, keys and values; give packedInProj: false for others"
        })
      return tf.split(QuantTensor.dequantized(call(thread, into[0] as (typeof into)[number], query)), 3, -1)
    }
    /** Keys or values with what stands behind them. */
    const lengthened = (x: tf.Tensor, bias: tf.Tensor | undefined): tf.Tensor => {
      const one = batchFirst ? [x.shape[0] as number, 1, embedDim] : [1, x.shape[1] as number, embedDim]
      const more = [
        ...(bias === undefined ? [] : [tf.broadcastTo(bias, one)]),
        ...(given.addZeroAttn === true ? [tf.zeros(one)] : [])
      ]
      return more.length === 0 ? x : tf.concat([x, ...more], batchFirst ? 1 : 0)
    }
    const toHeads = (x: tf.Tensor): tf.Tensor => {
      const [first, second] = x.shape as [number, number]
      const apart = tf.reshape(x, [first, second, numHeads, headDim])
      return tf.transpose(apart, batchFirst ? [0, 2, 1, 3] : [1, 2, 0, 3])
    }
    const fromHeads = (x: tf.Tensor): tf.Tensor => {
      const together = tf.transpose(x, batchFirst ? [0, 2, 1, 3] : [2, 0, 1, 3])
      return tf.reshape(together, [together.shape[0] as number, together.shape[1] as number, embedDim])
    }
    const apply: Layer.Layer<Input, Output>["apply"] = (states, x, mode) => {
      const thread = Thread.make(states, mode)
      const parts = partsOf(x)
      const sizes = checked(given, parts)
      const [q, k, v] = projected(thread, parts) as [tf.Tensor, tf.Tensor, tf.Tensor]
      const learned = biasKv && Layer.stateOf(states, biasKv).parameters
      const heads = {
        query: tf.div(toHeads(q), Math.sqrt(headDim)),
        key: toHeads(lengthened(k, learned?.biasK as tf.Tensor | undefined)),
        value: toHeads(lengthened(v, learned?.biasV as tf.Tensor | undefined))
      }
      const mask = Mask.extended(maskOf(given, parts, sizes), (heads.key.shape[2] as number) - sizes.s)
      const { output, weights } = ScaledDotProduct.attended(thread, quants, heads, mask, (w) =>
        QuantTensor.dequantized(Thread.call(thread, dropout, w))
      )
      const y = call(thread, out, fromHeads(output))
      const shown = given.averageWeights === false ? weights : tf.mean(weights, 1)
      return [{ output: y, weights: shown }, thread.states]
    }
    const layers = [...into, out]
    const proxies = ScaledDotProduct.named(quants)
    return {
      kind,
      formless: ScaledDotProduct.formless,
      proxies: [...layers.flatMap(([name, layer]) => prefixed(name, layer.proxies)), ...proxies],
      cells: [
        ...(biasKv === undefined ? [] : [["", biasKv] as const]),
        ...layers.flatMap(([name, layer]) => prefixed(name, layer.cells)),
        ...prefixed("dropout", dropout.cells),
        ...Slots.cellsOf(proxies)
      ],
      apply
    }
  })
