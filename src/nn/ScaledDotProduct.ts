/**
 * Quantized scaled dot-product attention.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `op`, `proxy`, `quant`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Linalg from "../op/Linalg.ts"
import type { QuantProxy, TrackedModule } from "../proxy/QuantProxy.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import { InvalidOptions, ShapeMismatch } from "../tensor/LayerErrors.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as Mask from "./AttentionMask.ts"
import type * as Layer from "./Layer.ts"
import * as Slots from "./Slots.ts"
import * as Thread from "./Thread.ts"

// ---- the quantizers -----------------------------------------------------------------------------------------

/** What is quantized on the way. */
export type InnerSlot = "softmaxInput" | "attnOutputWeights" | "qScaled" | "kTransposed" | "v"
/** Their quantizers, where there are any. */
export type InnerQuants = { readonly [N in InnerSlot as `${N}Quant`]: QuantProxy | undefined }

/**
 * Their proxies: 8 bits, unsigned for the weights; none for the scores unless it is given.
 *
 * - errors: those of a resolution
 */
export const innerQuants = (
  options: Slots.Given<InnerSlot>,
  module: TrackedModule
): Effect.Effect<InnerQuants, ResolutionError, Scope.Scope> =>
  Effect.gen(function* () {
    const [signed, unsigned] = [ScaledInt.Int8ActPerTensorFloat, ScaledInt.Uint8ActPerTensorFloat]
    return {
      softmaxInputQuant: yield* Slots.proxyFor(options, "softmaxInput", "activation", null, module),
      attnOutputWeightsQuant: yield* Slots.proxyFor(options, "attnOutputWeights", "activation", unsigned, module),
      qScaledQuant: yield* Slots.proxyFor(options, "qScaled", "activation", signed, module),
      kTransposedQuant: yield* Slots.proxyFor(options, "kTransposed", "activation", signed, module),
      vQuant: yield* Slots.proxyFor(options, "v", "activation", signed, module)
    }
  })

/** Proxies under the names that they have in Brevitas, where each belongs to an identity layer. */
export const named = (proxies: Readonly<Record<string, QuantProxy | undefined>>): Slots.Named =>
  Slots.named(Object.fromEntries(Object.entries(proxies).map(([name, proxy]) => [`${name}.actQuant`, proxy])))

// ---- the formula --------------------------------------------------------------------------------------------

/** Queries, keys and values of all heads. */
export interface Heads {
  /** `[...d, l, e]`, scaled already */
  readonly query: tf.Tensor
  /** `[...d, s, e]` */
  readonly key: tf.Tensor
  /** `[...d, s, f]` */
  readonly value: tf.Tensor
}

/** `softmax(q kᵀ + mask) v` of scaled queries, quantized on the way; the keys are quantized as they lie. */
export const attended = (
  thread: Thread.Thread,
  quants: InnerQuants,
  heads: Heads,
  mask: Mask.Mask,
  dropout: (weights: tf.Tensor) => tf.Tensor = (weights) => weights
): { readonly output: tf.Tensor; readonly weights: tf.Tensor } => {
  const through = (proxy: QuantProxy | undefined, x: tf.Tensor): tf.Tensor =>
    QuantTensor.dequantized(Thread.quantized(thread, proxy, x))
  const query = through(quants.qScaledQuant, heads.query)
  const key = through(quants.kTransposedQuant, heads.key)
  const scores = Mask.masked(Linalg.matMul(query, key, { transposeB: true }), mask, (x) =>
    through(quants.softmaxInputQuant, x)
  )
  const weights = through(quants.attnOutputWeightsQuant, dropout(tf.softmax(scores)))
  return { output: Linalg.matMul(weights, through(quants.vQuant, heads.value)), weights }
}

// ---- the layer ----------------------------------------------------------------------------------------------

export interface Options {
  /** queries see no later keys; default: false */
  readonly isCausal?: boolean
  /** of the queries; default: `1 / sqrt(e)` */
  readonly scale?: number
  /** answer with scale, zero-point and width, which needs `sdpaOutputQuant`; default: the plain value */
  readonly returnQuantTensor?: boolean
}

export type Slot = InnerSlot | "sdpaOutput"

export interface Input {
  /** `[...d, l, e]` */
  readonly query: Layer.Value
  /** `[...d, s, e]` */
  readonly key: Layer.Value
  /** `[...d, s, f]` */
  readonly value: Layer.Value
  /** `[..., l, s]`: truth values, true where a query may see a key, or floats, which are added to the scores */
  readonly attnMask?: tf.Tensor | undefined
}

const kind = "QuantScaledDotProductAttention"

/** Why attention has no form. */
export const formless =
  "it quantizes between its products of activations, which are written down only with weights; export what comes before and after it"

const checked = ({ query, key, value }: Heads, mask: tf.Tensor | undefined): void => {
  const [l, e] = query.shape.slice(-2) as [number, number]
  const [s] = key.shape.slice(-2) as [number]
  const leading = query.shape.slice(0, -2)
  const check = (what: string, x: tf.Tensor, rows: number, columns?: number): void => {
    const own = x.shape.slice(0, -2)
    const fits = x.rank >= 2 && tf.util.arraysEqual(own, leading)
    if (!fits || x.shape.at(-2) !== rows || (columns !== undefined && x.shape.at(-1) !== columns))
      throw new ShapeMismatch({
        what: `the ${what} of ${kind}`,
        expected: `[${[...leading, rows, columns ?? "any"].join(", ")}]`,
        actual: x.shape
      })
  }
  check("query", query, l, e)
  check("key", key, s, e)
  check("value", value, s)
  if (mask === undefined) return
  const scores = [...leading, l, s]
  const full = [...Array.from({ length: Math.max(0, scores.length - mask.rank) }, () => 1), ...mask.shape]
  if (full.length !== scores.length || !full.every((d, i) => d === 1 || d === scores[i]))
    throw new ShapeMismatch({
      what: `the attnMask of ${kind}`,
      expected: `one that broadcasts to [${scores.join(", ")}]`,
      actual: mask.shape
    })
}

/**
 * Quantized attention of queries to keys, whose values it answers. A mask of truth values, or infinite, is put up after the scores
 * were quantized, so that a quantizer of the scores sees finite ones only.
 *
 * - formula:  `y = Q_out(Q_w(softmax(Q_s(Q_q(q scale) Q_k(k)ᵀ + mask))) Q_v(v))`
 * - shapes:   `query [...d, l, e], key [...d, s, e], value [...d, s, f], attnMask [..., l, s] -> y [...d, l, f]`
 * - gradient: through every quantizer, also to a mask of floats
 * - errors:   InvalidOptions for a quant tensor without `sdpaOutputQuant`; ShapeMismatch for shapes that do not fit; NaN for a query
 *   that may see no key
 * - source:   Vaswani et al. 2017, arXiv:1706.03762; Brevitas, nn/quant_sdpa.py
 *
 * @since 0.3.0
 */
export const quantScaledDotProductAttention = <const O extends Options & Slots.Given<Slot>>(
  options: O & Slots.Checked<O, Slot, keyof Options>
): Effect.Effect<Layer.Layer<Input>, Layer.BuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const given: Options & Slots.Given<Slot> = options
    const { scale, isCausal = false, returnQuantTensor = false } = given
    if (returnQuantTensor && (given.sdpaOutputQuant ?? null) === null)
      return yield* new InvalidOptions({ what: kind, option: "returnQuantTensor", reason: "needs sdpaOutputQuant" })
    const bare = yield* Slots.bareModule(kind)
    const quants = yield* innerQuants(given, bare)
    const sdpaOutputQuant = yield* Slots.proxyFor<Slot>(given, "sdpaOutput", "activation", null, bare)
    const proxies = named({ ...quants, sdpaOutputQuant })
    const apply: Layer.Layer<Input>["apply"] = (states, x, mode) => {
      const thread = Thread.make(states, mode)
      const [query, key, value] = [x.query, x.key, x.value].map(QuantTensor.dequantized) as [
        tf.Tensor,
        tf.Tensor,
        tf.Tensor
      ]
      const { attnMask } = x
      checked({ query, key, value }, attnMask)
      const factor = scale ?? 1 / Math.sqrt(query.shape.at(-1) as number)
      const own =
        attnMask === undefined
          ? Mask.none
          : attnMask.dtype === "bool"
            ? Mask.blocking(tf.logicalNot(attnMask))
            : Mask.adding(attnMask)
      const mask = isCausal
        ? Mask.both(own, Mask.causal(query.shape.at(-2) as number, key.shape.at(-2) as number))
        : own
      const { output } = attended(thread, quants, { query: tf.mul(query, factor), key, value }, mask)
      const y = Thread.quantized(thread, sdpaOutputQuant, output)
      return [returnQuantTensor ? y : QuantTensor.dequantized(y), thread.states]
    }
    return { kind, formless, proxies, cells: Slots.cellsOf(proxies), apply }
  })
