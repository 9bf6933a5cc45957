/**
 * The state of a layer or model by name: taking it out and loading it.
 *
 * A load is all or nothing: it checks first, resolves every quantizer for the new weights, and swaps as its last step. While it
 * runs, the quantizers that it loads cannot be reloaded or joined by another layer.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `tensor`, `./Entry.ts`, `./Layer.ts`, `./StateSwap.ts`. Laws: test/nn/State.test.ts,
 * test/nn/StateExtract.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import { nearest } from "../tensor/Nearest.ts"
import { MissingKeys, UnexpectedKeys } from "../tensor/StateErrors.ts"
import * as Stored from "../tensor/Stored.ts"
import * as Tree from "../tensor/Tree.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as Entry from "./Entry.ts"
import type { Stateful } from "./Layer.ts"
import * as StateSwap from "./StateSwap.ts"

/** Tensors by dotted name: `"weight"`, `"conv1.weightQuant.scalingImpl.value"`. */
export type StateDict = Readonly<Record<string, tf.Tensor>>

/** What a load takes: tensors, or tensors at rest as a file has them. */
export type Given = Readonly<Record<string, tf.Tensor | Stored.Stored>>

/**
 * What a load does about names that do not match: `"report"` loads what fits; `"float"` lets only quantizers lack keys, so
 * that a float network can be adopted; `"strict"` wants exactly all names.
 */
export type Policy = "report" | "float" | "strict"

export interface Options {
  /** default: `"report"` */
  readonly policy?: Policy
  /** resolves every quantizer anew for the new weights, so that what the state lacks begins again; default: true */
  readonly reinitialize?: boolean
}

/** What a load did. */
export interface Loaded {
  readonly adopted: ReadonlyArray<string>
  readonly missing: ReadonlyArray<string>
  readonly unexpected: ReadonlyArray<string>
}

// ---- taking out ---------------------------------------------------------------------------------------------

/** All parameters by name; the tensors are the layer's own, valid until the next step or load. */
export const parameters = (layer: Stateful): Effect.Effect<StateDict> =>
  Effect.sync(() =>
    Object.fromEntries(
      layer.cells.flatMap(([prefix, cell]) =>
        Tree.leaves(LeasedRef.current(cell).parameters).map(([name, tensor]) => [Entry.dotted(prefix, name), tensor])
      )
    )
  )

/**
 * The state as bytes by name, for `Safetensors.encode`, `StateJson.encode` or `load`. A learned value that still waits for its first
 * statistics is left out; one that has collected some is there as what it would become.
 *
 * @category taking out
 * @since 0.3.0
 */
export const extract = (layer: Stateful): Effect.Effect<Stored.Tensors> =>
  Effect.sync(() => {
    const found: Array<readonly [string, Stored.Stored]> = []
    // tidy would look through what it is answered for tensors, byte by byte
    tf.tidy(() => {
      for (const [prefix, cell] of layer.cells)
        for (const [path, tensor] of Entry.saved(LeasedRef.current(cell)))
          found.push([Entry.dotted(prefix, path), Stored.fromTensor(tensor)])
    })
    return Object.fromEntries(found)
  })

// ---- loading ------------------------------------------------------------------------------------------------

const shapeText = (shape: ReadonlyArray<number>): string => `[${shape.join(", ")}]`

/** A cell and a name in it, as a text. */
const placeOf = ({ cell, path }: Entry.Entry): string => `${StateSwap.rankOf(cell)} ${path}`

/** A name of the state, the entry that takes its value, and what becomes of the value. */
interface Match {
  readonly name: string
  readonly entry: Entry.Entry
  readonly convert: ((value: tf.Tensor) => tf.Tensor) | undefined
}

/** Which entries take which names: a name as it is, else one that stands for it. What layers share takes the first of its names. */
const matched = (layer: Stateful, entries: ReadonlyArray<Entry.Entry>, state: Given): ReadonlyArray<Match> => {
  const byName = new Map(entries.map((entry) => [entry.name, entry]))
  const aliases = Entry.aliases(layer)
  return Object.keys(state).flatMap((name) => {
    const alias = byName.has(name) ? undefined : aliases.get(name)
    if (alias !== undefined && Object.hasOwn(state, alias.name)) return []
    const entry = byName.get(alias?.name ?? name)
    return entry === undefined ? [] : [{ name, entry, convert: alias?.convert }]
  })
}

const mismatch = ({ name, entry: { own, shape } }: Match, state: Given): ShapeMismatch | undefined => {
  const given = state[name] as tf.Tensor | Stored.Stored
  const got = given.shape
  if (!(given instanceof tf.Tensor) && !Stored.isWhole(given))
    return new ShapeMismatch({
      what: `the bytes of state "${name}"`,
      expected: `${shapeText(got)} of ${given.dtype}`,
      actual: [given.data.byteLength / Stored.byteSizes[given.dtype]]
    })
  const fits = own ? shapeText(shape) === shapeText(got) : Stored.sizeOf(shape) === Stored.sizeOf(got)
  return fits ? undefined : new ShapeMismatch({ what: `state "${name}"`, expected: shapeText(shape), actual: got })
}

/** A float32 tensor of the caller's with the values and the entry's shape. */
const copied = ({ name, entry, convert }: Match, state: Given): tf.Tensor =>
  tf.tidy(() => {
    const given = state[name] as tf.Tensor | Stored.Stored
    const value = given instanceof tf.Tensor ? given : tf.tensor(Stored.floats(given), [...given.shape], "float32")
    const float = value.dtype === "float32" ? value : tf.cast(value, "float32")
    // a reshaped tensor is a new one over the same data
    return tf.reshape(convert === undefined ? float : convert(float), [...entry.shape])
  })

const valuesOf = (matches: ReadonlyArray<Match>, state: Given): ReadonlyArray<StateSwap.Value> =>
  Entry.uniqueBy(matches, ({ entry }) => placeOf(entry)).map((match) => ({
    cell: match.entry.cell,
    path: match.entry.path,
    make: () => copied(match, state)
  }))

/**
 * Loads a state by name. The layer's own values are copied, every quantizer is resolved anew for the new weights, then what the
 * state has of the quantizers' own is copied over it: a learned value that is loaded counts as learned. What layers share takes
 * the state under any of its names, else the first. On any failure nothing has changed.
 *
 * - errors: MissingKeys and UnexpectedKeys by the policy, with the nearest names; ShapeMismatch; those of a resolution;
 *   nothing is loaded then
 */
export const load = Effect.fn("State.load")(function* (
  layer: Stateful,
  state: Given,
  options: Policy | Options = {}
): Effect.fn.Return<Loaded, MissingKeys | UnexpectedKeys | ShapeMismatch | ResolutionError> {
  const { policy = "report", reinitialize = true } = typeof options === "string" ? { policy: options } : options
  return yield* StateSwap.locked(
    layer,
    Effect.suspend(() => checkedLoad(layer, state, policy, reinitialize))
  )
})

const checkedLoad = (
  layer: Stateful,
  state: Given,
  policy: Policy,
  reinitialize: boolean
): Effect.Effect<Loaded, MissingKeys | UnexpectedKeys | ShapeMismatch | ResolutionError> =>
  Effect.gen(function* () {
    const entries = Entry.of(layer)
    const matches = matched(layer, entries, state)
    const adopted = matches.map(({ name }) => name)
    const given = new Set(adopted)
    const taken = new Set(matches.map(({ entry }) => placeOf(entry)))
    // what layers share is there under any of its names
    const absent = entries.filter((entry) => !taken.has(placeOf(entry)))
    const missing = absent.map(({ name }) => name)
    const unexpected = Object.keys(state).filter((name) => !given.has(name))
    const lacking = policy === "strict" ? absent : policy === "float" ? absent.filter(({ own }) => own) : []
    if (lacking.length > 0) {
      const keys = lacking.map(({ name }) => name)
      return yield* new MissingKeys({ keys, policy, nearest: keys.map((key) => nearest(key, unexpected)) })
    }
    if (policy !== "report" && unexpected.length > 0) {
      const names = entries.map(({ name }) => name)
      return yield* new UnexpectedKeys({
        keys: unexpected,
        policy,
        nearest: unexpected.map((key) => nearest(key, names))
      })
    }
    const wrong = matches.map((match) => mismatch(match, state)).find((error) => error !== undefined)
    if (wrong !== undefined) return yield* wrong
    yield* StateSwap.replace(layer, valuesOf(matches, state), reinitialize)
    return { adopted, missing, unexpected }
  })

/**
 * Replaces some of a layer's own parameters and lets its quantizers begin anew, as a load does.
 *
 * - errors: as `load`
 */
export const assign = Effect.fn("State.assign")((layer: Stateful, state: Given) => load(layer, state, "report"))
