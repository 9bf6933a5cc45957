/**
 * Calibration: activation quantizers learn their scales from samples that run through the float network. What was observed is a value:
 * it can be saved, and gone on with.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `core`, `nn`, `proxy`, `tensor`, `./Ptq.ts`. Laws: test/ptq/Steps.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Stream } from "effect"
import * as Persistence from "../core/Persistence.ts"
import type { TensorQuantizer } from "../core/TensorQuantizer.ts"
import * as Entry from "../nn/Entry.ts"
import * as Fork from "../nn/Fork.ts"
import * as Layer from "../nn/Layer.ts"
import type * as Cell from "../proxy/Cell.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import { nearest } from "../tensor/Nearest.ts"
import { NoCalibrationData, NonFiniteActivations, UnknownLayer } from "../tensor/StepErrors.ts"
import * as Tree from "../tensor/Tree.ts"
import * as Ptq from "./Ptq.ts"

// ---- what was observed --------------------------------------------------------------------------------------

/** Numbers of a quantizer's memory, by their names in it. */
type Numbers = Readonly<Record<string, { readonly shape: ReadonlyArray<number>; readonly data: ReadonlyArray<number> }>>

/** What was observed of the inputs of one quantizer: numbers only. */
export interface Observed {
  /** how many of the batches reached it */
  readonly batches: number
  /** the average of each statistic over these, by its name in the quantizer's memory */
  readonly averages: Numbers
  /** what the last of them left besides statistics, if anything: where the search of the next one begins */
  readonly carried?: Numbers
}

/** What was observed so far, by the paths of the quantizers. As JSON it loses nothing: going on with it gives the same bits. */
export interface Observation {
  readonly batches: number
  readonly quantizers: Readonly<Record<string, Observed>>
}

/** No batch was observed. */
export const nothing: Observation = { batches: 0, quantizers: {} }

const activation = new Set(Layer.activationSlots)

const parentOf = (name: string): string => name.slice(0, Math.max(0, name.lastIndexOf(".")))

const isCounter = (name: string): boolean => name === "counter" || name.endsWith(".counter")

/**
 * All that a quantizer sees in one batch, as one value: what an addition or concatenation joins, or a layer reads that is called several
 * times. Where the values differ in more than their first axis, there is one statistic for all of them, and the shape is no matter.
 */
const together = (values: ReadonlyArray<tf.Tensor>): tf.Tensor => {
  const [first, ...others] = values as [tf.Tensor, ...ReadonlyArray<tf.Tensor>]
  if (others.length === 0) return first
  const within = ({ shape }: tf.Tensor): string => `${shape.length}: ${shape.slice(1)}`
  const isAlike = first.rank > 0 && others.every((x) => within(x) === within(first))
  return tf.concat(isAlike ? [...values] : values.map((x) => tf.reshape(x, [-1])), 0)
}

/** What one call leaves in a memory that has no statistics, but what the call before carried over. */
const remembered = (quantizer: TensorQuantizer, x: tf.Tensor, carried: Numbers = {}): Tree.Memory => {
  const memory = Tree.map(quantizer.memory, (leaf, name): tf.Tensor | number => {
    const found = carried[name]
    if (found === undefined) return leaf
    return typeof leaf === "number" ? (found.data[0] ?? leaf) : tf.tensor([...found.data], [...found.shape])
  })
  const state = { parameters: quantizer.parameters, memory, training: true, observing: true, tracked: undefined }
  return quantizer.apply(state, x)[1]
}

const continued = (before: Observed | undefined, memory: Tree.Memory): Observed => {
  const batches = (before?.batches ?? 0) + 1
  const leaves = Tree.leaves(memory)
  // a statistic has a counter beside it
  const counted = new Set(leaves.flatMap(([name]) => (isCounter(name) ? [parentOf(name)] : [])))
  const averages = leaves.flatMap(([name, leaf]) => {
    if (!(leaf instanceof tf.Tensor) || !counted.has(parentOf(name))) return []
    const old = before?.averages[name]?.data
    const data = Array.from(leaf.dataSync(), (value, i) =>
      old === undefined ? value : (old[i] as number) + (value - (old[i] as number)) / batches
    )
    return [[name, { shape: leaf.shape, data }] as const]
  })
  const others = leaves.filter(([name]) => !counted.has(parentOf(name)))
  const carried = others.map(([name, leaf]) => {
    const numbers =
      typeof leaf === "number" ? { shape: [], data: [leaf] } : { shape: leaf.shape, data: [...leaf.dataSync()] }
    return [name, numbers] as const
  })
  return {
    batches,
    averages: Object.fromEntries(averages),
    ...(carried.length > 0 && { carried: Object.fromEntries(carried) })
  }
}

/** The first name of each quantizer. */
const namesOf = (model: Layer.Stateful): ReadonlyMap<Cell.Cell, string> =>
  new Map(Entry.uniqueBy(model.proxies, ([, { cell }]) => cell).map(([name, { cell }]) => [cell, name]))

// ---- observing ----------------------------------------------------------------------------------------------

/** What each quantizer has seen in a batch, as tensors of their own. */
type Seen = Map<string, { readonly quantizer: TensorQuantizer; readonly values: Array<tf.Tensor> }>

/** What was observed after one more batch, which runs in floats; fails with the first quantizer that got NaN or infinities. */
const after = (
  model: Ptq.Model,
  names: ReadonlyMap<Cell.Cell, string>,
  before: Observation,
  batch: Ptq.Batch
): Effect.Effect<Observation, Layer.InputError | NonFiniteActivations> =>
  Effect.flatMap(
    Effect.acquireUseRelease(
      Effect.sync((): Seen => new Map()),
      (seen) => Layer.attempt(() => seenIn(model, names, before, batch, seen)),
      (seen) => Effect.sync(() => tf.dispose([...seen.values()].flatMap(({ values }) => values)))
    ),
    ({ bad, observation }) =>
      bad === undefined
        ? Effect.succeed(observation)
        : Effect.fail(new NonFiniteActivations({ step: "Calibrate", layer: bad }))
  )

/** What was observed after one more batch, or the quantizer that got NaN or infinities. */
const seenIn = (
  model: Ptq.Model,
  names: ReadonlyMap<Cell.Cell, string>,
  before: Observation,
  batch: Ptq.Batch,
  seen: Seen
): { readonly bad: string | undefined; readonly observation: Observation } => {
  const states = Layer.read(model)
  const quantizers = { ...before.quantizers }
  const bad: Array<string> = []
  const watch = (proxy: QuantProxy, x: tf.Tensor): void => {
    const { quantizer } = Layer.stateOf(states, proxy.cell)
    const name = names.get(proxy.cell)
    if (quantizer === undefined || name === undefined || !activation.has(proxy.slot) || bad.length > 0) return
    if (!x.dataSync().every(Number.isFinite)) bad.push(name)
    const one = seen.get(name) ?? { quantizer, values: [] }
    // a layer may dispose what it has computed before the run is over
    one.values.push(tf.keep(x.clone()))
    seen.set(name, one)
  }
  tf.tidy(() => {
    model.apply(states, Ptq.inputOf(batch), { ...Layer.without(Layer.evaluation), watch })
    if (bad.length > 0) return
    for (const [name, { quantizer, values }] of seen) {
      const known = quantizers[name]
      quantizers[name] = continued(known, remembered(quantizer, together(values), known?.carried))
    }
  })
  return { bad: bad[0], observation: { batches: before.batches + 1, quantizers } }
}

/**
 * Lets batches run through the network in floats, and tells after each what was observed so far. A batch is asked for when somebody
 * wants to know; whoever keeps the last observation can go on from it with the batches that follow, later or elsewhere.
 *
 * - formula:  the average over the batches of each statistic of all that a quantizer sees in a batch
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   NonFiniteActivations, which names the quantizer; InputError of the model; what was observed before stays
 * - source:   Brevitas, graph/calibrate.py (calibration_mode)
 *
 * @category calibration
 * @since 0.4.0
 */
export const observing = <E = never, R = never>(
  model: Ptq.Model,
  batches: Ptq.Batches<E, R>,
  from: Observation = nothing
): Stream.Stream<Observation, NonFiniteActivations | Layer.InputError | E, R> => {
  const names = namesOf(model)
  return Stream.mapAccumEffect(
    Stream.rechunk(batches, 1),
    () => from,
    (before, batch) => Effect.map(after(model, names, before, batch), (now) => [now, [now]] as const)
  )
}

// ---- learning -----------------------------------------------------------------------------------------------

/** The memory with the averages in it, as after one call. */
const rememberedBy = (quantizer: TensorQuantizer, { averages }: Observed): Tree.Memory =>
  Tree.map(quantizer.memory, (leaf, name): tf.Tensor | number => {
    const found = averages[name]
    if (found !== undefined) return tf.tensor(Float32Array.from(found.data), [...found.shape])
    return isCounter(name) ? 1 : leaf
  })

/** The state of a quantizer that has learned what was observed, and else is as it was; within a `tf.tidy`. */
const learnedBy = (living: Cell.Living, quantizer: TensorQuantizer, observed: Observed): Cell.State => {
  const begun = { parameters: quantizer.parameters, memory: rememberedBy(quantizer, observed) }
  const statistics = new Set(Object.keys(observed.averages).map(parentOf))
  const values = Persistence.saved(quantizer, begun).filter(([name]) => statistics.has(parentOf(name)))
  return Entry.loaded(living, new Map(values))
}

const isTelling = (observed: Observed | undefined): observed is Observed =>
  observed !== undefined && Object.keys(observed.averages).length > 0

/**
 * Lets the activation quantizers learn what was observed: its averages become their learned scales and zero-points, what they had
 * learned before is replaced. Quantizers without statistics stay as they are.
 *
 * - formula:  as `calibrate`
 * - shapes:   those of the statistics
 * - gradient: none
 * - errors:   NoCalibrationData for an observation of no batches; UnknownLayer for one of another model
 * - source:   Brevitas, graph/calibrate.py (calibration_mode)
 *
 * @category calibration
 * @since 0.4.0
 */
export const learned =
  (observation: Observation, options: Ptq.Reporting = {}): Ptq.Step<NoCalibrationData | UnknownLayer> =>
  (model) =>
    Effect.gen(function* () {
      const step = "Calibrate"
      const { batches, quantizers } = observation
      if (batches === 0) return yield* new NoCalibrationData({ step })
      const names = namesOf(model)
      const known = [...names.values()]
      const strange = Object.keys(quantizers).find((name) => !known.includes(name))
      if (strange !== undefined)
        return yield* new UnknownLayer({ step, layer: strange, known, nearest: nearest(strange, known) })
      const next = yield* Fork.make(model, (cell, now) => {
        const observed = quantizers[names.get(cell) ?? ""]
        return now.quantizer === undefined || !isTelling(observed) ? undefined : learnedBy(now, now.quantizer, observed)
      })
      const layers = known.filter((name) => isTelling(quantizers[name]))
      const skipped = [...new Set(model.proxies.map(([, proxy]) => proxy))].flatMap(({ cell, slot }) => {
        const layer = names.get(cell) ?? ""
        if (!activation.has(slot) || layers.includes(layer)) return []
        const reason = layer in quantizers ? "it has no statistics to learn from" : "no batch reached it"
        return [{ layer, reason }]
      })
      yield* Ptq.told(options, { _tag: "StepDone", step, layers, skipped, batches })
      return next
    })

/**
 * Lets every activation quantizer (of inputs, outputs and activations) learn from batches that run through the network in floats: its
 * statistic of all that it sees in a batch, averaged over the batches, becomes its learned scale and zero-point. So one quantizer for all
 * that an addition joins has a range that holds the largest of it. What it had learned before is replaced; `collectStatsSteps` and the
 * momentum do not count here. Quantizers without statistics stay as they are.
 *
 * ```ts
 * const calibrated = yield* Calibrate.calibrate(Stream.fromIterable(batches))(model)
 * ```
 *
 * - formula:  `s = 1/n sum_i statistic(x_i)`, `x_i` all float inputs of a quantizer in the batch i
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   NoCalibrationData; NonFiniteActivations, which names the quantizer; InputError of the model; the model is never changed
 * - source:   Brevitas, graph/calibrate.py (calibration_mode), where a quantizer that is called several times in a batch averages over
 *   the calls
 *
 * @category calibration
 * @since 0.3.0
 */
export const calibrate =
  <E = never, R = never>(
    batches: Ptq.Batches<E, R>,
    options: Ptq.Reporting & { readonly from?: Observation } = {}
  ): Ptq.Step<NoCalibrationData | NonFiniteActivations | UnknownLayer | Layer.InputError | E, R> =>
  (model) =>
    Effect.gen(function* () {
      const from = options.from ?? nothing
      const observed = yield* Stream.runFoldEffect(
        observing(model, batches, from),
        () => from,
        (_, now) =>
          Effect.as(Ptq.told(options, { _tag: "BatchSeen", step: "Calibrate", pass: 1, batch: now.batches }), now)
      )
      return yield* learned(observed, options)(model)
    })
