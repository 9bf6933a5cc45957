/**
 * Calibration: activation quantizers learn their scales from samples that run through the float network.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `core`, `nn`, `proxy`, `tensor`, `./Ptq.ts`. Laws: test/ptq/Steps.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Stream } from "effect"
import * as Persistence from "../core/Persistence.ts"
import type { TensorQuantizer } from "../core/TensorQuantizer.ts"
import * as Entry from "../nn/Entry.ts"
import * as Layer from "../nn/Layer.ts"
import * as Cell from "../proxy/Cell.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import { NoCalibrationData, NonFiniteActivations } from "../tensor/Errors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Tree from "../tensor/Tree.ts"
import * as Ptq from "./Ptq.ts"

/** What was observed of the inputs of one quantizer. */
interface Observed {
  readonly proxy: QuantProxy
  readonly calls: number
  /** the average of each statistic, by its name in the quantizer's memory */
  readonly averages: ReadonlyMap<string, { readonly shape: ReadonlyArray<number>; readonly data: Float64Array }>
}

const activation = new Set(Layer.activationSlots)

/** The statistics that one call leaves in an empty memory: those of this call alone. */
const statisticsOf = (quantizer: TensorQuantizer, x: tf.Tensor): Tree.Memory => {
  const state = {
    parameters: quantizer.parameters,
    memory: quantizer.memory,
    training: true,
    observing: true,
    tracked: undefined
  }
  return quantizer.apply(state, x)[1]
}

const averaged = (before: Observed | undefined, proxy: QuantProxy, memory: Tree.Memory): Observed => {
  const calls = (before?.calls ?? 0) + 1
  const averages = Tree.leaves(memory).flatMap(([name, leaf]) => {
    if (!(leaf instanceof tf.Tensor)) return []
    const old = before?.averages.get(name)?.data
    const data = Float64Array.from(leaf.dataSync(), (value, i) =>
      old === undefined ? value : (old[i] as number) + (value - (old[i] as number)) / calls
    )
    return [[name, { shape: leaf.shape, data }] as const]
  })
  return { proxy, calls, averages: new Map(averages) }
}

/** The memory with the averages in it, as after one call. */
const rememberedBy = (quantizer: TensorQuantizer, { averages }: Observed): Tree.Memory =>
  Tree.map(quantizer.memory, (leaf, name): tf.Tensor | number => {
    const found = averages.get(name)
    if (found !== undefined) return tf.tensor(Float32Array.from(found.data), [...found.shape])
    return name === "counter" || name.endsWith(".counter") ? 1 : leaf
  })

const parentOf = (name: string): string => name.slice(0, Math.max(0, name.lastIndexOf(".")))

/** The state of a quantizer that has learned what was observed, and else is as it was; within a `tf.tidy`. */
const learned = (living: Cell.Living, quantizer: TensorQuantizer, observed: Observed): Cell.State => {
  const begun = { parameters: quantizer.parameters, memory: rememberedBy(quantizer, observed) }
  const statistics = new Set([...observed.averages.keys()].map(parentOf))
  const values = Persistence.saved(quantizer, begun).filter(([name]) => statistics.has(parentOf(name)))
  return Entry.loaded(living, new Map(values))
}

/** Puts what was learned into the cells: in one synchronous run, as its last step. */
const write = (observed: ReadonlyMap<Cell.Cell, Observed>): void => {
  const next: Array<readonly [Cell.Cell, Cell.State]> = []
  tf.tidy(() => {
    for (const [cell, seen] of observed) {
      const living = LeasedRef.current(cell)
      if (living.quantizer === undefined || seen.averages.size === 0) continue
      const before = new Set([...Tree.tensors(living.parameters), ...Tree.tensors(living.memory)])
      const { parameters, memory } = learned(living, living.quantizer, seen)
      // what the quantizer made when it was resolved is its own
      const mine = <Leaf extends tf.Tensor | number>(leaf: Leaf): Leaf =>
        leaf instanceof tf.Tensor && !before.has(leaf) ? (tf.keep(leaf.clone()) as Leaf) : leaf
      next.push([cell, { parameters: Tree.map(parameters, mine), memory: Tree.map(memory, mine) }])
    }
  })
  for (const [cell, state] of next) Cell.commit(cell, state)
}

/** What a calibration did. */
export interface Calibrated {
  readonly batches: number
  /** the quantizers that have learned, by their paths */
  readonly quantizers: ReadonlyArray<string>
}

/**
 * Lets every activation quantizer (of inputs, outputs and activations) learn from batches that run through the network in floats: its
 * statistic of each call, averaged over all calls, becomes its learned scale and zero-point. What it had learned before is replaced;
 * `collectStatsSteps` and the momentum do not count here. Quantizers without statistics stay as they are.
 *
 * Cells are written once, after the last batch: a calibration that fails or is interrupted leaves the model as it was.
 *
 * ```ts
 * const model = yield* network
 * yield* Calibrate.calibrate(model, Stream.fromIterable(batches))
 * ```
 *
 * - formula:  `s = 1/n sum_i statistic(x_i)`, `x_i` the float inputs of a quantizer
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   NoCalibrationData; NonFiniteActivations, which names the quantizer; InputError of the model
 * - source:   Brevitas, graph/calibrate.py (calibration_mode)
 *
 * @category calibration
 * @since 0.3.0
 */
export const calibrate = <Out extends Layer.Values, E = never, R = never>(
  model: Layer.Layer<Layer.Value, Out>,
  batches: Ptq.Batches<E, R>
): Effect.Effect<Calibrated, NoCalibrationData | NonFiniteActivations | Layer.InputError | E, R> =>
  Effect.gen(function* () {
    const observed = new Map<Cell.Cell, Observed>()
    const names = new Map(model.proxies.toReversed().map(([name, proxy]) => [proxy.cell, name]))
    const observe = (batch: Ptq.Batch): Effect.Effect<void, Layer.InputError | NonFiniteActivations> =>
      Effect.flatMap(
        Layer.attempt(() => watched(model, batch, observed)),
        (bad) =>
          bad === undefined
            ? Effect.void
            : Effect.fail(new NonFiniteActivations({ step: "Calibrate", layer: names.get(bad) ?? "a quantizer" }))
      )
    const count = yield* Stream.runFold(
      Stream.mapEffect(Stream.rechunk(batches, 1), observe),
      () => 0,
      (n) => n + 1
    )
    if (count === 0) return yield* new NoCalibrationData({ step: "Calibrate" })
    yield* Effect.sync(() => write(observed))
    return {
      batches: count,
      quantizers: [...observed].flatMap(([cell, { averages }]) =>
        averages.size === 0 ? [] : [names.get(cell) ?? "a quantizer"]
      )
    }
  })

/** Runs one batch in floats and takes the statistics of what each quantizer gets; answers the first one that got NaN or infinities. */
const watched = <Out extends Layer.Values>(
  model: Layer.Layer<Layer.Value, Out>,
  batch: Ptq.Batch,
  observed: Map<Cell.Cell, Observed>
): Cell.Cell | undefined => {
  const states = Layer.read(model)
  const bad: Array<Cell.Cell> = []
  const watch = (proxy: QuantProxy, x: tf.Tensor): void => {
    const { quantizer } = Layer.stateOf(states, proxy.cell)
    if (quantizer === undefined || !activation.has(proxy.slot) || bad.length > 0) return
    if (!x.dataSync().every(Number.isFinite)) bad.push(proxy.cell)
    else observed.set(proxy.cell, averaged(observed.get(proxy.cell), proxy, statisticsOf(quantizer, x)))
  }
  const mode = { ...Layer.without(Layer.evaluation), watch }
  tf.tidy(() => {
    model.apply(states, Ptq.inputOf(batch), mode)
  })
  return bad[0]
}
