/**
 * What the laws of tensor quantizers are about: a quantizer, what it says of itself, and how it is brought to quantize.
 *
 * A subject is a description; it is resolved when a law runs, and released with it. A quantizer for a weight or a bias gets an example
 * layer, one for an activation has seen one batch in training, one for accumulators gets integers. All laws look at evaluation.
 *
 * Room: laws. Imports: tfjs, effect, `backend`, `core`, `inject`, `quant`, `tensor`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Data, Effect, Layer, type Scope } from "effect"
import * as Backend from "../src/backend/Backend.ts"
import type { State } from "../src/core/Brick.ts"
import type { Module } from "../src/core/Module.ts"
import type { External, Quantized, TensorQuantizer } from "../src/core/TensorQuantizer.ts"
import * as Injector from "../src/inject/Injector.ts"
import * as Catalogue from "../src/quant/Catalogue.ts"
import type { BackendUnavailable } from "../src/tensor/RuntimeErrors.ts"
import * as Tree from "../src/tensor/Tree.ts"
import type { ResolutionError } from "../src/tensor/WiringErrors.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** What is promised of a quantizer: the facts of its declaration, and what its user adds or takes back. */
export interface Promised {
  readonly facts: Catalogue.Facts
  /** whether gradients stop beyond the range, or pass; absent: not known */
  readonly clamp: "stops" | "passes" | undefined
  /** names of laws that are claimed whatever the facts say */
  readonly claim: ReadonlyArray<string>
  /** names of laws that are not, with the reason */
  readonly disclaim: Readonly<Record<string, string>>
}

/** A quantizer that is ready: resolved, and trained for a step where it collects statistics. */
export interface Ready {
  readonly promised: Promised
  readonly quantizer: TensorQuantizer
  /** what stays the same from call to call */
  readonly state: Pick<State, "parameters" | "memory">
  readonly external: External
  /** the shape of what it quantizes */
  readonly shape: ReadonlyArray<number>
  /** the distance of two codes on the example: where ties are */
  readonly step: number
}

/** The quantizer was resolved, but throws when it is to quantize an example. */
export class QuantizingFailed extends Data.TaggedError("QuantizingFailed")<{
  readonly quantizer: string
  readonly shape: ReadonlyArray<number>
  readonly cause: unknown
}> {
  override get message(): string {
    const cause = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `${this.quantizer} fails on a float32[${this.shape.join(", ")}]: ${cause}`
  }
}

export type Failure = ResolutionError | BackendUnavailable | QuantizingFailed

export interface Subject {
  readonly name: string
  readonly promised: Promised
  readonly ready: Effect.Effect<Ready | undefined, Failure, Scope.Scope | Backend.Backend>
  readonly backend: Layer.Layer<Backend.Backend, BackendUnavailable>
}

export interface Options {
  /** names that the declaration leaves open, and what to give for them */
  readonly given?: Readonly<Record<string, unknown>>
  readonly claim?: ReadonlyArray<string>
  readonly disclaim?: Readonly<Record<string, string>>
  /** where to compute; WASM if absent */
  readonly backend?: Layer.Layer<Backend.Backend, BackendUnavailable>
}

// ---- examples -----------------------------------------------------------------------------------------------

const channels = 4

/** Values without a pattern in them, spread over (-1, 1), unlike each other. */
const spread = (shape: ReadonlyArray<number>, seed = 1): tf.Tensor => {
  const size = shape.reduce((a, b) => a * b, 1)
  const values = Float32Array.from({ length: size }, (_, i) => Math.sin(12.9898 * (i + seed)) * (1 - i / (2 * size)))
  return tf.tensor(values, [...shape])
}

/** What a layer or its user would give for the names that a declaration leaves open, besides the layer itself. */
const open: Readonly<Record<string, unknown>> = {
  perChannelBroadcastableShape: [1, 1, 1, channels],
  minVal: -1,
  maxVal: 1,
  exponentBitWidth: 3,
  mantissaBitWidth: 2,
  bitWidth: 8
}

const givenFor = (
  injector: Injector.Any,
  more: Readonly<Record<string, unknown>>
): Readonly<Record<string, unknown>> => {
  const { needs, format } = Catalogue.facts(injector)
  const known = { ...open, ...(format.kind === "minifloat" && { bitWidth: 6 }), ...more }
  const named = needs.filter((name) => name in known).map((name) => [name, known[name as keyof typeof known]])
  // one batch is enough to begin with
  const collected = Injector.has(injector, "collectStatsSteps") ? { collectStatsSteps: 1 } : {}
  return { ...collected, ...Object.fromEntries(named), ...more }
}

const shapeOf = ({ slot, scale, needs }: Catalogue.Facts, injector: Injector.Any): ReadonlyArray<number> => {
  const group = 2 * (scale?.groupSize ?? 16)
  if (slot === "bias") return [channels]
  if (slot === "weight") return scale?.per === "group" ? [group, channels] : [6, channels]
  if (slot === "truncation") return [4, 6]
  const permuted = Injector.has(injector, "scalingStatsPermuteDims")
    ? injector.table.scalingStatsPermuteDims
    : undefined
  const rank = needs.includes("perChannelBroadcastableShape") ? 4 : Array.isArray(permuted) ? permuted.length : 2
  if (rank === 4) return [2, 2, 3, channels]
  if (rank === 3) return [2, 3, channels]
  return scale?.per === "group" ? [2, group] : [channels, 6]
}

/** The format of what comes in, for the quantizers that ask for one. */
const externalOf = (slot: Catalogue.Slot | undefined): Required<External> => ({
  scale: slot === "bias" ? tf.tensor1d([0.01, 0.02, 0.03, 0.04]) : tf.scalar(0.5),
  zeroPoint: tf.scalar(0),
  bitWidth: tf.scalar(slot === "truncation" ? 12 : 8),
  signed: true
})

const layerOf = (weight: tf.Tensor): Module => ({
  kind: "Linear",
  weight,
  bias: spread([channels], 7),
  outChannels: channels,
  outputChannelAxis: weight.rank - 1
})

/** Integers in steps of the input's scale, as an accumulator has them; else what it is. */
export const fitted = (slot: Catalogue.Slot | undefined, x: number): number =>
  slot === "truncation" ? 0.5 * Math.max(-2048, Math.min(2047, Math.round(16 * x))) : x

// ---- resolving ----------------------------------------------------------------------------------------------

const failing = (quantizer: string, shape: ReadonlyArray<number>) => (cause: unknown) =>
  new QuantizingFailed({ quantizer, shape, cause })

const owned = <A extends tf.TensorContainer>(make: () => A) =>
  Effect.acquireRelease(
    Effect.sync(() => tf.tidy(make)),
    (made) => Effect.sync(() => tf.dispose(made))
  )

const copied = (tree: Tree.Memory): Tree.Memory =>
  Tree.map(tree, (leaf) => (typeof leaf === "number" ? leaf : tf.clone(leaf)))

/** What a quantizer has learned in its first step of training; its tensors belong to the caller. */
export const begun = (
  quantizer: TensorQuantizer,
  x: tf.Tensor,
  external: External
): Pick<State, "parameters" | "memory"> => {
  const start: State = { parameters: quantizer.parameters, memory: quantizer.memory, training: true, tracked: [x] }
  const first: State = { ...start, ...quantizer.prepare(start) }
  const [, memory] = quantizer.apply(first, x, external)
  const { parameters, memory: collected } = quantizer.prepare({ ...first, memory })
  return { parameters: copied(parameters) as Tree.Parameters, memory: copied(collected) }
}

/** Brings a quantizer to evaluation, after a step of training on an example of its input. */
const readied = (
  promised: Promised,
  quantizer: TensorQuantizer,
  shape: ReadonlyArray<number>
): Effect.Effect<Ready, QuantizingFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const { slot } = promised.facts
    const external = (yield* owned(() => ({ ...externalOf(slot) }))) as Required<External>
    const x = yield* owned(() => {
      const plain = spread(shape)
      return slot === "truncation"
        ? tf.tensor(
            plain.dataSync().map((v) => fitted(slot, 20 * v)),
            plain.shape
          )
        : plain
    })
    const trained = (): Record<string, tf.Tensor> =>
      begun(quantizer, x, external) as unknown as Record<string, tf.Tensor>
    const failed = failing(promised.facts.name, shape)
    const state = yield* Effect.acquireRelease(
      Effect.try({ try: () => tf.tidy(trained) as unknown as Pick<State, "parameters" | "memory">, catch: failed }),
      (made) => Effect.sync(() => tf.dispose(made as unknown as tf.TensorContainer))
    )
    const ready = { promised, quantizer, state, external, shape, step: 1 }
    const measured = (): number => tf.tidy(() => tf.max(quantize(ready, x).scale).dataSync()[0] as number)
    const step = yield* Effect.try({ try: measured, catch: failed })
    return { ...ready, step: step > 0 && Number.isFinite(step) ? step : 1 }
  })

/** One evaluation; its tensors belong to the caller. */
export const quantize = ({ quantizer, state, external }: Ready, x: tf.Tensor): Quantized =>
  quantizer.apply({ ...state, training: false, tracked: [x] }, x, external)[0]

// ---- constructors -------------------------------------------------------------------------------------------

const clamps: Readonly<Record<string, Promised["clamp"]>> = {
  TensorClamp: "stops",
  TensorClampSte: "passes",
  InplaceTensorClampSte: "passes"
}

const promisedOf = (injector: Injector.Any, { claim = [], disclaim = {} }: Options): Promised => {
  const clamp = Injector.foresee(injector, ["tensorQuant"]).tensorClampImpl
  return {
    facts: Catalogue.facts(injector),
    clamp: clamp?.kind === "built" ? clamps[clamp.label] : undefined,
    claim,
    disclaim
  }
}

/** A quantizer that is declared: what its facts say is claimed of it. */
export const declared = (injector: Injector.Any, options: Options = {}): Subject => {
  const given = givenFor(injector, options.given ?? {})
  const complete = Injector.merge(injector, Injector.make(injector.name, given))
  const found = promisedOf(complete, options)
  const promised = { ...found, facts: { ...found.facts, name: injector.name } }
  const shape = shapeOf(Catalogue.facts(injector), injector)
  return {
    name: injector.name,
    promised,
    backend: options.backend ?? Backend.layer,
    ready: Effect.gen(function* () {
      yield* Backend.Backend
      const module = yield* owned(() => ({
        ...layerOf(spread(promised.facts.slot === "weight" ? shape : [6, channels]))
      }))
      const { tensorQuant } = yield* Injector.resolveUnknown(injector, ["tensorQuant"], { module, ...given })
      return tensorQuant === undefined ? undefined : yield* readied(promised, tensorQuant as TensorQuantizer, shape)
    })
  }
}

/** A quantizer made by hand: all that is claimed of `like` is claimed of it. Its tensors stay the caller's. */
export const handMade = (
  name: string,
  quantizer: TensorQuantizer,
  like: Injector.Any,
  options: Options = {}
): Subject => {
  const { promised, backend } = declared(like, options)
  const facts = { ...promised.facts, name }
  return {
    name,
    promised: { ...promised, facts },
    backend,
    ready: Effect.andThen(
      Effect.service(Backend.Backend),
      readied({ ...promised, facts }, quantizer, shapeOf(Catalogue.facts(like), like))
    )
  }
}

/** Another subject made from a quantizer as it comes out of its resolution: for subjects that are broken on purpose. */
export const altered = (subject: Subject, alter: (quantizer: TensorQuantizer) => TensorQuantizer): Subject => ({
  ...subject,
  ready: Effect.map(subject.ready, (ready) =>
    ready === undefined ? undefined : { ...ready, quantizer: alter(ready.quantizer) }
  )
})

/** The same subject, resolved once for many laws; it is released with the Scope. */
export const resolved = (subject: Subject): Effect.Effect<Subject, Failure, Scope.Scope | Backend.Backend> =>
  Effect.gen(function* () {
    const backend = yield* Backend.Backend
    const ready = yield* subject.ready
    return { ...subject, ready: Effect.succeed(ready), backend: Layer.succeed(Backend.Backend, backend) }
  })
