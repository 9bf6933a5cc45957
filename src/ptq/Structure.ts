/**
 * The structure that steps have given to a model, as data, and the same structure made again without them: for whoever reads the
 * state of what a recipe has made.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `nn`, `proxy` types, `tensor`, `./Beside.ts`, `./Change.ts`, `./Declared.ts`,
 * `./Prepare.ts`, `./Ptq.ts`. Laws: test/ptq/Structure.test.ts.
 */
import type * as tf from "@tensorflow/tfjs-core"
import { Effect, Result, Schema, type Scope } from "effect"
import * as Entry from "../nn/Entry.ts"
import * as Fork from "../nn/Fork.ts"
import type * as Layer from "../nn/Layer.ts"
import * as Slotted from "../nn/Slotted.ts"
import type * as Cell from "../proxy/Cell.ts"
import { MalformedFile } from "../tensor/FileErrors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import { nearest } from "../tensor/Nearest.ts"
import { UnknownLayer } from "../tensor/StepErrors.ts"
import * as Tree from "../tensor/Tree.ts"
import * as Beside from "./Beside.ts"
import * as Change from "./Change.ts"
import * as Declared from "./Declared.ts"
import * as Prepare from "./Prepare.ts"
import * as Ptq from "./Ptq.ts"

/** All that was changed, in order. */
export const Structure = Schema.Array(Change.Change)
export type Structure = (typeof Structure)["Type"]

/** What can be wrong when a structure is made again. */
export type RebuildError = UnknownLayer | Layer.BuildError

const step = "Structure"

// ---- texts --------------------------------------------------------------------------------------------------

/** The text of a structure. */
export const encode = (structure: Structure): string => JSON.stringify(structure)

const decoded = Schema.decodeUnknownResult(Structure, { onExcessProperty: "error" })

/**
 * A structure from a text of JSON; what it names has to be in the catalogue.
 *
 * - errors: MalformedFile, which names the file
 */
export const decode = (text: string, file = "(unnamed)"): Effect.Effect<Structure, MalformedFile> =>
  Effect.gen(function* () {
    const wrong = (reason: string): MalformedFile =>
      new MalformedFile({ file, reason: `its structure ${reason.replace(/\s+/g, " ")}` })
    const json = yield* Effect.try({ try: (): unknown => JSON.parse(text), catch: () => wrong("is no JSON") })
    const result = decoded(json)
    if (Result.isFailure(result)) return yield* wrong(`is none: ${result.failure.message}`)
    for (const change of result.success)
      if (change.change === "quantizers")
        for (const [name, declared] of Object.entries(change.quantizers)) {
          const bad = Declared.wrongIn(file, declared, name)
          if (bad !== undefined) return yield* wrong(`has a quantizer that is none: ${bad.message}`)
        }
    return result.success
  })

/** The quantizers that were put somewhere, by name; of several in one place the last. */
export const quantizersIn = (structure: Structure): Readonly<Record<string, Declared.Declared>> =>
  Object.assign({}, ...structure.map((change) => (change.change === "quantizers" ? change.quantizers : {})))

// ---- parameters ---------------------------------------------------------------------------------------------

type Shapes = Readonly<Record<string, ReadonlyArray<number>>>

/** The parameters of the layers themselves, by name: cell, name within it, and shape. */
const ownOf = (model: Layer.Stateful) =>
  model.cells
    .filter(([, cell]) => Entry.isOwn(model, cell))
    .flatMap(([prefix, cell]) =>
      Tree.leaves(LeasedRef.current(cell).parameters).map(([path, tensor]) => ({
        name: Entry.dotted(prefix, path),
        shape: (tensor as tf.Tensor).shape as ReadonlyArray<number>
      }))
    )

/**
 * What else has changed from a model to another one that has the same layers by the same names: parameters that are new, or have
 * another shape. No change where there are none.
 */
const reshaped = (from: Layer.Stateful, to: Layer.Stateful): Structure => {
  const before = new Map(ownOf(from).map(({ name, shape }) => [name, shape.join()]))
  const shapes: Shapes = Object.fromEntries(
    ownOf(to).flatMap(({ name, shape }) => (before.get(name) === shape.join() ? [] : [[name, shape]]))
  )
  return Object.keys(shapes).length === 0 ? [] : [{ change: "parameters", shapes }]
}

/** Ones, until a state is loaded. */
const ones = (shape: ReadonlyArray<number>): Ptq.Host => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1)
})

// ---- making it again ----------------------------------------------------------------------------------------

const unknown = (layer: string, known: ReadonlyArray<string>): UnknownLayer =>
  new UnknownLayer({ step, layer, known, nearest: nearest(layer, known) })

const pathsOf = (model: Layer.Stateful): ReadonlyArray<string> => {
  const paths: Array<string> = []
  Ptq.replacing(model, (_, path) => {
    paths.push(path)
    return undefined
  })
  return paths
}

const placed = <M extends Ptq.Model>(
  model: M,
  kind: Change.Kind,
  at: ReadonlyArray<ReadonlyArray<string>>
): Effect.Effect<M, RebuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const known = pathsOf(model)
    const strange = at.flat().find((path) => !known.includes(path))
    if (strange !== undefined) return yield* unknown(strange, known)
    const places = new Map<string, Beside.Place>()
    for (const paths of at) {
      const place = yield* Beside.blank[kind]
      for (const path of paths) places.set(path, place)
    }
    return Ptq.replacing(model, (layer, path) => places.get(path)?.(layer))
  })

const withParameters = <M extends Ptq.Model>(model: M, shapes: Shapes): Effect.Effect<M, RebuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const own = new Map(model.cells.filter(([, cell]) => Entry.isOwn(model, cell)))
    const overlay = new Map<Cell.Cell, Record<string, Ptq.Host>>()
    for (const [name, shape] of Object.entries(shapes)) {
      const dot = name.lastIndexOf(".")
      const cell = own.get(name.slice(0, Math.max(0, dot)))
      if (cell === undefined) return yield* unknown(name, [...own.keys()])
      overlay.set(cell, { ...overlay.get(cell), [name.slice(dot + 1)]: ones(shape) })
    }
    return yield* Prepare.rewritten(model, overlay, "all")
  })

const withQuantizers = <M extends Ptq.Model>(
  model: M,
  quantizers: Readonly<Record<string, Declared.Declared>>
): Effect.Effect<M, RebuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const names = Object.keys(quantizers)
    const empty = Slotted.empty(model)
    const known = [...model.proxies.map(([name]) => name), ...empty]
    const strange = names.find((name) => !known.includes(name))
    if (strange !== undefined) return yield* unknown(strange, known)
    const injectorOf = (name: string) => {
      const declared = quantizers[name]
      return declared && Declared.injectorOf(declared)
    }
    const next = yield* Fork.requantized(model, injectorOf)
    const isFilling = names.some((name) => empty.includes(name))
    return isFilling ? yield* Slotted.filled(next, (name) => injectorOf(name) ?? undefined) : next
  })

/** One change made to a model, its parameters still to come. */
const changed = <M extends Ptq.Model>(model: M, change: Change.Change): Effect.Effect<M, RebuildError, Scope.Scope> => {
  switch (change.change) {
    case "quantizers":
      return withQuantizers(model, change.quantizers)
    case "parameters":
      return withParameters(model, change.shapes)
    default:
      return placed(model, change.change, change.at)
  }
}

/**
 * A model changed as these say: a model such as the steps began with becomes one such as they ended with, apart from the values, which a
 * state brings along. Nothing is calibrated, nothing is computed.
 *
 * ```ts
 * const { model, structure } = yield* Recipe.follow(recipe, batches)(float)
 * const again = yield* Structure.rebuilt(structure)(another)
 * yield* State.load(again, yield* State.extract(model), "strict")
 * ```
 *
 * - formula:  the changes, one after the other
 * - shapes:   those of the model that the changes were recorded of
 * - gradient: none
 * - errors:   UnknownLayer for a place that the model does not have; those of a resolution; the model is never changed
 * - source:   none
 *
 * @category structure
 * @since 0.5.0
 */
export const rebuilt =
  (structure: Structure): Ptq.Step<RebuildError> =>
  <M extends Ptq.Model>(model: M) =>
    Effect.gen(function* () {
      const reached: { model: M } = { model: yield* Fork.make(model) }
      for (const change of structure) reached.model = yield* changed(reached.model, change)
      return reached.model
    })

/**
 * The structure of what steps have made of a model, given the changes that they told of: with the shapes of parameters, which no step
 * tells.
 *
 * - errors: as `rebuilt`
 */
export const between = (before: Ptq.Model, told: Structure, after: Ptq.Model): Effect.Effect<Structure, RebuildError> =>
  Effect.scoped(Effect.map(rebuilt(told)(before), (blank) => [...told, ...reshaped(blank, after)]))
