/**
 * What the steps after training share: their shape, the layers of a model by name, and what reaches them.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `core`, `nn`, `proxy`, `tensor`, `./Change.ts`. Laws: test/ptq/Steps.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope, Stream } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Fork from "../nn/Fork.ts"
import * as Layer from "../nn/Layer.ts"
import { isComposed } from "../nn/Model.ts"
import type { Weighted } from "../nn/Weighted.ts"
import type * as Cell from "../proxy/Cell.ts"
import { nearest } from "../tensor/Nearest.ts"
import { NoCalibrationData, UnknownLayer } from "../tensor/StepErrors.ts"
import * as Tree from "../tensor/Tree.ts"
import type * as Change from "./Change.ts"

// ---- steps --------------------------------------------------------------------------------------------------

/** What steps take: a model of one value. */
export type Model = Layer.Layer<Layer.Value, Layer.Values>

/**
 * A step after training: a model in, another one of the same type out, which lives in the surrounding Scope. The model that came in
 * stays as it is, to the bit, whatever happens; a step that fails or is interrupted leaves nothing behind.
 *
 * ```ts
 * pipe(model, Calibrate.calibrate(batches), Effect.flatMap(Gptq.gptq(batches, { actOrder: true })))
 * ```
 */
export type Step<E = never, R = never> = <M extends Model>(model: M) => Effect.Effect<M, E, R | Scope.Scope>

/** A layer that a step left as it is, and why. */
export interface Skipped {
  readonly layer: string
  readonly reason: string
}

/** A batch has run through the model; passes and batches of a pass count from 1. */
export interface BatchSeen {
  readonly _tag: "BatchSeen"
  readonly step: string
  readonly pass: number
  readonly batch: number
}
/** A layer, or quantizer, has what it will have. */
export interface LayerDone {
  readonly _tag: "LayerDone"
  readonly step: string
  readonly layer: string
}
/** The step has its answer. */
export interface StepDone {
  readonly _tag: "StepDone"
  readonly step: string
  /** what was changed: layers, or quantizers, by their paths */
  readonly layers: ReadonlyArray<string>
  readonly skipped: ReadonlyArray<Skipped>
  /** how many batches ran in all passes together; 0 for a step without data */
  readonly batches: number
  /** what of the structure is another one, apart from the shapes of parameters; absent: nothing */
  readonly changes?: ReadonlyArray<Change.Change> | undefined
}
/** An iteration of a step that learns; they count from 1. */
export interface Iterated {
  readonly _tag: "Iterated"
  readonly step: string
  readonly layer: string
  readonly iteration: number
  readonly loss: number
}
/** What a step tells while it runs. */
export type Event = BatchSeen | LayerDone | StepDone | Iterated

/** What every step takes among its options. */
export interface Reporting {
  /** told of what the step does, and at its end of what it did; the step goes on when the answer is there */
  readonly report?: ((event: Event) => Effect.Effect<void>) | undefined
}

/** Tells an event to whoever wants to know. */
export const told = ({ report }: Reporting, event: Event): Effect.Effect<void> =>
  report === undefined ? Effect.void : report(event)

// ---- batches ------------------------------------------------------------------------------------------------

/** Inputs of a model: a tensor of the caller's, or a function that makes one, which is called within a `tf.tidy`. */
export type Batch = tf.Tensor | (() => tf.Tensor)

/** The inputs that a step looks at; a step may run the stream several times and then expects the same batches. */
export type Batches<E = never, R = never> = Stream.Stream<Batch, E, R>

/** No batches: for a look at steps before they run. */
export const none: Batches = Stream.empty

/** The tensor of a batch, within a `tf.tidy`. */
export const inputOf = (batch: Batch): tf.Tensor => (typeof batch === "function" ? batch() : batch)

/**
 * One pass over the batches: each is asked for when the one before is done, so that nothing piles up, and between two of them a pass can
 * be interrupted. Answers how many there were; none is a failure.
 *
 * - errors: NoCalibrationData where there are no batches; those of the stream and of `seen`
 */
export const passed = <E, R, E2, R2>(
  batches: Batches<E, R>,
  seen: (batch: Batch) => Effect.Effect<void, E2, R2>,
  about: { readonly step: string; readonly pass?: number } & Reporting
): Effect.Effect<number, NoCalibrationData | E | E2, R | R2> =>
  Effect.gen(function* () {
    const { step, pass = 1 } = about
    const count = yield* Stream.runFoldEffect(
      Stream.rechunk(batches, 1),
      () => 0,
      (before, batch) =>
        seen(batch).pipe(
          Effect.andThen(told(about, { _tag: "BatchSeen", step, pass, batch: before + 1 })),
          Effect.as(before + 1)
        )
    )
    if (count === 0) return yield* new NoCalibrationData({ step })
    return count
  })

// ---- layers -------------------------------------------------------------------------------------------------

/** A layer with a weight, by its path in a model: `block.conv1`; the model itself is `""`. */
export interface Named {
  readonly name: string
  readonly layer: Weighted
}

/** A layer whose weight is multiplied with its input: not a recurrent or attention layer, which have several. */
const isWeighted = (layer: Layer.Stateful): layer is Weighted => "own" in layer && "outputChannelAxis" in layer

const joined = (outer: string, inner: string): string => (outer === "" ? inner : `${outer}.${inner}`)

/** The layers with a weight, in the order of the model's record; one that stands in two places has its first name. */
export const weighted = (model: Layer.Stateful, prefix = ""): ReadonlyArray<Named> => {
  const found = isWeighted(model)
    ? [{ name: prefix, layer: model }]
    : isComposed(model)
      ? Object.entries(model.layers).flatMap(([name, layer]) => weighted(layer, joined(prefix, name)))
      : []
  return found.filter(({ layer }, i) => found.findIndex((other) => other.layer.own === layer.own) === i)
}

/** Told of each call of a layer: the states then, its input, and the mode. */
export type Tell = (layer: Weighted, states: Layer.States, x: Layer.Value, mode: Layer.Mode) => void

/**
 * The same model with other layers in the place of some: each is asked for with its path, models within it before their layers;
 * `undefined` goes on with the layer's own layers, or keeps it.
 */
export const replacing = <M extends Layer.Stateful>(
  model: M,
  replace: (layer: Layer.Stateful, path: string) => Layer.Stateful | undefined
): M => {
  const each = (layer: Layer.Stateful, path: string): Layer.Stateful => {
    const other = replace(layer, path)
    if (other !== undefined) return other
    if (!isComposed(layer)) return layer
    return layer.over(
      Object.fromEntries(Object.entries(layer.layers).map(([name, one]) => [name, each(one, joined(path, name))]))
    )
  }
  return each(model, "") as M
}

/** The same model with other formulas for its layers with these own cells. */
export const wrapping = <In, Out extends Layer.Values>(
  model: Layer.Layer<In, Out>,
  cells: ReadonlySet<Cell.Cell>,
  wrap: (layer: Weighted) => Layer.Layer["apply"]
): Layer.Layer<In, Out> =>
  replacing(model, (layer) =>
    isWeighted(layer) && cells.has(layer.own) ? ({ ...layer, apply: wrap(layer) } as Layer.Layer) : undefined
  )

/** The same model, which tells of the calls of its layers with these own cells. */
export const telling = <In, Out extends Layer.Values>(
  model: Layer.Layer<In, Out>,
  cells: ReadonlySet<Cell.Cell>,
  tell: Tell
): Layer.Layer<In, Out> =>
  wrapping(model, cells, (layer) => (states, x, mode) => {
    tell(layer, states, x, mode)
    return layer.apply(states, x, mode)
  })

/** What a layer multiplies with its weight: its input, after the quantizer that the layer has for it. */
export const multiplied: (...args: Parameters<Tell>) => Layer.Value = (layer, states, x, mode) =>
  layer.inputQuant === undefined ? x : Layer.quantize(states, layer.inputQuant, QuantTensor.dequantized(x), mode)[0]

/** States with other weights: what belongs to a layer's own cell, by name. */
export type Overlay = ReadonlyMap<Cell.Cell, Readonly<Record<string, Host>>>

/** Numbers of a tensor. */
export interface Host {
  readonly shape: ReadonlyArray<number>
  readonly data: Float32Array
}

/** New tensors of these numbers. */
export const tensorsOf = (values: Readonly<Record<string, Host>>): Readonly<Record<string, tf.Tensor>> =>
  Object.fromEntries(Object.entries(values).map(([name, { shape, data }]) => [name, tf.tensor(data, [...shape])]))

/** The states with some parameters replaced by new tensors; call it within a `tf.tidy`. */
export const overlaid = (states: Layer.States, overlay: Overlay): Layer.States =>
  overlay.size === 0
    ? states
    : new Map(
        [...states].map(([cell, state]) => {
          const values = overlay.get(cell)
          if (values === undefined) return [cell, state]
          return [cell, { ...state, parameters: { ...state.parameters, ...tensorsOf(values) } }]
        })
      )

/**
 * What cells begin with in a fork: the states from which a call of the model would start, changed by `change`. Scales that are to come from
 * statistics of weights at the first call are there then, and stay when the weights become others.
 */
export const beginning = (
  model: Layer.Stateful,
  change: (cell: Cell.Cell, state: Cell.State) => Cell.State | undefined
): Fork.Beginning => {
  // asked for within the one `tf.tidy` of a fork
  const states: { known?: Layer.States } = {}
  return (cell) => {
    states.known ??= Layer.prepare(Layer.read(model), Layer.evaluation)
    const state = states.known.get(cell)
    return state && (change(cell, state) ?? state)
  }
}

/**
 * The same model with other parameters, in the surrounding Scope; what quantizers have learned goes on, the model that was given stays.
 * For parameters that quantizers should begin anew for, see `Fork.requantized`.
 */
export const rewritten = <M extends Layer.Stateful>(model: M, overlay: Overlay): Effect.Effect<M, never, Scope.Scope> =>
  Fork.make(
    model,
    beginning(model, (cell, { parameters, memory }) => {
      const values = overlay.get(cell)
      return values === undefined ? undefined : { memory, parameters: { ...parameters, ...tensorsOf(values) } }
    })
  )

/** The same model, whose quantizers have the scales that they would take from the weights at the first call. */
export const settled: Step = (model) => rewritten(model, new Map())

/** The numbers of a parameter of a layer's own. */
export const hostOf = (parameters: Tree.Parameters, name: string): Host | undefined => {
  const tensor = Tree.leaves(parameters).find(([leaf]) => leaf === name)?.[1]
  return tensor === undefined ? undefined : { shape: tensor.shape, data: Float32Array.from(tensor.dataSync()) }
}

/**
 * The layer of a name.
 *
 * - errors: UnknownLayer with the nearest name
 */
export const find = (model: Layer.Stateful, name: string, step: string): Effect.Effect<Named, UnknownLayer> => {
  const layers = weighted(model)
  const found = layers.find((one) => one.name === name)
  const known = layers.map((one) => one.name)
  return found === undefined
    ? Effect.fail(new UnknownLayer({ step, layer: name, known, nearest: nearest(name, known) }))
    : Effect.succeed(found)
}

/**
 * What a layer of a model multiplies with its weight, for each call: the inputs that it has in this mode. In
 * `Layer.without(Layer.evaluation)` those of the float network. No cell is written; the answers are the caller's to dispose.
 *
 * - formula:  `Q(x_l)`, `x_l` the output of the layers before
 * - shapes:   as the layer takes them
 * - gradient: none
 * - errors:   UnknownLayer; InputError of the model
 * - source:   hooks of PyTorch modules serve for this elsewhere
 *
 * @category layers
 * @since 0.3.0
 */
export const inputs = <In, Out extends Layer.Values>(
  model: Layer.Layer<In, Out>,
  x: In,
  name: string,
  mode: Layer.Mode = Layer.evaluation
): Effect.Effect<ReadonlyArray<tf.Tensor>, UnknownLayer | Layer.InputError> =>
  Effect.flatMap(find(model, name, "Ptq.inputs"), ({ layer }) =>
    Layer.attempt(() =>
      tf.tidy(() => {
        const seen: Array<tf.Tensor> = []
        const told = telling(model, new Set([layer.own]), (...call) => {
          seen.push(QuantTensor.dequantized(multiplied(...call)).clone())
        })
        told.apply(Layer.prepare(Layer.read(model), mode), x, mode)
        return seen
      })
    )
  )
