/**
 * What the steps share that change a float network before it is quantized: its structure, its weights as numbers, and the model with
 * other ones.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `core`, `nn`, `proxy`, `tensor`, `./Change.ts`, `./Ptq.ts`, `./Regions.ts`.
 * Laws: test/ptq/Prepare.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as Calls from "../nn/Calls.ts"
import * as Fork from "../nn/Fork.ts"
import * as Layer from "../nn/Layer.ts"
import * as Model from "../nn/Model.ts"
import * as Normalization from "../nn/Normalization.ts"
import * as Cell from "../proxy/Cell.ts"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Random from "../tensor/Random.ts"
import { NonFiniteWeights, UnknownStructure } from "../tensor/StepErrors.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import type * as Change from "./Change.ts"
import * as Ptq from "./Ptq.ts"
import * as Regions from "./Regions.ts"

/** What a model takes: the shape of an input, the batch first, or an input itself. Only how the layers hang together is read off it. */
export type Example = ReadonlyArray<number> | Ptq.Batch

/** What every step of this kind takes. */
export interface Options extends Ptq.Reporting {
  readonly input: Example
}

/** What can be wrong when the structure of a model is asked for. */
export type StructureError = UnknownStructure | Layer.InputError

/** Tells that a step without batches has its answer. */
export const done = (
  options: Ptq.Reporting,
  step: string,
  layers: ReadonlyArray<string>,
  skipped: ReadonlyArray<Ptq.Skipped> = [],
  changes?: ReadonlyArray<Change.Change>
): Effect.Effect<void> => Ptq.told(options, { _tag: "StepDone", step, layers, skipped, batches: 0, changes })

// ---- structure ----------------------------------------------------------------------------------------------

const isShape = (example: Example): example is ReadonlyArray<number> => Array.isArray(example)

const isWhole = (shape: ReadonlyArray<number>): boolean =>
  shape.length > 0 && shape.every((size) => Number.isInteger(size) && size > 0)

const inputOf = (example: Example): tf.Tensor => {
  if (!isShape(example)) return Ptq.inputOf(example)
  const count = example.reduce((a, b) => a * b, 1)
  return tf.tensor(Random.uniform(Random.make(1), count, -1.5, 1.5), [...example])
}

/**
 * Runs the float network once and looks at its calls, within a `tf.tidy`.
 *
 * - errors: InputError where the example does not fit the model
 */
export const looking = <A>(
  model: Ptq.Model,
  example: Example,
  step: string,
  look: (run: Calls.Run, x: tf.Tensor) => A
): Effect.Effect<A, Layer.InputError> =>
  isShape(example) && !isWhole(example)
    ? Effect.fail(
        new ShapeMismatch({
          what: `the input shape for ${step}`,
          expected: "whole numbers above 0, the batch first",
          actual: example
        })
      )
    : Layer.attempt(() => {
        const seen: { answer?: A } = {}
        tf.tidy(() => {
          const x = inputOf(example)
          seen.answer = look(Calls.run(model, x, Layer.without(Layer.evaluation)), x)
        })
        return seen.answer as A
      })

/**
 * The regions of a model: its layers whose channels share a factor.
 *
 * - formula:  `Regions.of` of the calls of one run
 * - shapes:   `input [n, ...d]`
 * - gradient: none
 * - errors:   UnknownStructure where a value is computed between layers; InputError of the model
 * - source:   Brevitas, graph/equalize.py (_extract_regions)
 *
 * @category structure
 * @since 0.4.0
 */
export const regions = (
  model: Ptq.Model,
  { input, step, acts = false }: { readonly input: Example; readonly step: string; readonly acts?: boolean }
): Effect.Effect<ReadonlyArray<Regions.Region>, StructureError> =>
  Effect.flatMap(
    looking(model, input, step, (run, x) => Regions.of(run, [x], { acts })),
    (found) =>
      "unknown" in found
        ? Effect.fail(new UnknownStructure({ step, layer: found.unknown }))
        : Effect.succeed(found.regions)
  )

/** The names of the layers of regions. */
export const namesIn = (found: ReadonlyArray<Regions.Region>): ReadonlyArray<string> => [
  ...new Set(found.flatMap(({ sources, acts, sinks }) => [...sources, ...acts, ...sinks].map(({ name }) => name)))
]

// ---- weights ------------------------------------------------------------------------------------------------

/** What layers have learned, as numbers, by their own cells. */
export type Weights = Ptq.Overlay

/** A parameter or average of a layer as it is in these weights. */
export const numbersOf = (weights: Weights, own: Cell.Cell, name: string): Ptq.Host | undefined =>
  weights.get(own)?.[name]

/**
 * The numbers of layers.
 *
 * - errors: NonFiniteWeights, which names the layer
 */
export const weightsOf = (
  layers: ReadonlyArray<{ readonly name: string; readonly own: Cell.Cell }>,
  step: string
): Effect.Effect<Weights, NonFiniteWeights> =>
  Effect.suspend(() => {
    const weights = new Map(
      layers.map(({ own }) => {
        const { parameters } = LeasedRef.current(own)
        const found = ["weight", "bias"].flatMap((name) => {
          const host = Ptq.hostOf(parameters, name)
          return host === undefined ? [] : [[name, host] as const]
        })
        return [own, Object.fromEntries(found)] as const
      })
    )
    const isBad = ({ own }: { readonly own: Cell.Cell }): boolean =>
      Object.values(weights.get(own) ?? {}).some(({ data }) => !data.every(Number.isFinite))
    const bad = layers.find(isBad)
    return bad === undefined ? Effect.succeed(weights) : Effect.fail(new NonFiniteWeights({ step, layer: bad.name }))
  })

// ---- models -------------------------------------------------------------------------------------------------

/**
 * The same model with other parameters, in the surrounding Scope. The quantizers of the layers that change begin anew, or all of them
 * where values that run through are other ones, too.
 *
 * - errors: those of a resolution, where a quantizer that begins anew does not resolve
 */
export const rewritten = <M extends Layer.Stateful>(
  model: M,
  weights: Weights,
  anew: "changed" | "all"
): Effect.Effect<M, ResolutionError, Scope.Scope> => {
  const changed = model.cells.flatMap(([name, cell]) => (weights.has(cell) ? [name === "" ? "" : `${name}.`] : []))
  return Fork.requantized(
    model,
    (name, { injector }) =>
      anew === "all" || changed.some((prefix) => name.startsWith(prefix)) ? injector : undefined,
    (cell, { parameters, memory }) => {
      const values = weights.get(cell)
      return values === undefined ? undefined : { memory, parameters: { ...parameters, ...Ptq.tensorsOf(values) } }
    }
  )
}

/**
 * A layer that multiplies each channel with a factor.
 *
 * - errors: those of a layer that is made: BuildError
 */
export const scaling = (factors: Float32Array): Effect.Effect<Layer.Layer, Layer.BuildError, Scope.Scope> =>
  Effect.tap(Normalization.quantScaleBias({ channels: factors.length, weightQuant: null, hasBias: false }), ({ own }) =>
    Effect.sync(() => Cell.commit(own, { parameters: { weight: tf.tensor1d(factors) }, memory: {} }))
  )

/** The same model with other layers in the place of some; each layer that is no model itself is asked for with its path. */
export const replacing = <M extends Layer.Stateful>(
  model: M,
  other: (layer: Layer.Layer, path: string) => Layer.Stateful
): M => {
  const each = (layer: Layer.Stateful, path: string): Layer.Stateful => {
    if (!Model.isComposed(layer)) return other(layer as Layer.Layer, path)
    const inner = Object.entries(layer.layers).map(
      ([name, one]) => [name, each(one, path === "" ? name : `${path}.${name}`)] as const
    )
    return layer.over(Object.fromEntries(inner))
  }
  return each(model, "") as M
}

/** The paths of the layers with this own cell. */
export const placesOf = (model: Layer.Stateful, own: Cell.Cell): ReadonlyArray<string> => {
  const places: Array<string> = []
  replacing(model, (layer, path) => {
    if (Regions.ownOf(layer) === own) places.push(path)
    return layer
  })
  return places
}
