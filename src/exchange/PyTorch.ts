/**
 * State dicts of PyTorch, of float networks and of Brevitas: names mapped and layouts turned, without a backend.
 *
 * They come as safetensors, which hold numbers only. A pickled `.pt` file is a program; convert it in Python:
 * `from safetensors.torch import save_file; save_file(model.state_dict(), "model.safetensors")`.
 *
 * Room: exchange (level 5). Imports: effect, `nn`, `proxy`, `tensor`, `./PyTorchNames.ts`. Laws: test/exchange/PyTorch.test.ts.
 */
import { Effect, Result } from "effect"
import * as Entry from "../nn/Entry.ts"
import type { Stateful } from "../nn/Layer.ts"
import * as State from "../nn/State.ts"
import * as Origin from "../proxy/Origin.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import type { MissingKeys, UnexpectedKeys } from "../tensor/StateErrors.ts"
import type * as Stored from "../tensor/Stored.ts"
import * as StoredView from "../tensor/StoredView.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as Names from "./PyTorchNames.ts"

// ---- looking up ---------------------------------------------------------------------------------------------

/** A state dict by what its names have in common with those here. */
interface Dict {
  readonly tensors: Stored.Tensors
  /** the name there of a name here; the very same one first */
  readonly keyOf: (name: string) => string | undefined
}

/** What `DataParallel` puts in front of every name. */
const parallel = "module."

const dictOf = (given: Stored.Tensors): Dict => {
  const names = Object.keys(given)
  const wrapped = names.length > 0 && names.every((name) => name.startsWith(parallel))
  const tensors = wrapped
    ? Object.fromEntries(Object.entries(given).map(([name, one]) => [name.slice(parallel.length), one]))
    : given
  const byCommon = new Map(
    Object.keys(tensors)
      .toReversed()
      .map((name) => [Names.common(name), name])
  )
  const keyOf = (name: string): string | undefined => {
    const exact = Names.snake(name)
    return Object.hasOwn(tensors, exact) ? exact : byCommon.get(Names.common(name))
  }
  return { tensors, keyOf }
}

/** What was found for an entry: its value here, and the names there that it was made of. */
interface Found {
  readonly name: string
  readonly value: Stored.Stored
  readonly keys: ReadonlyArray<string>
}

// ---- a layer's own ------------------------------------------------------------------------------------------

const axesOf = (origin: Origin.Origin, entry: Entry.Entry): ReadonlyArray<number> =>
  origin.axes ?? Array.from(entry.shape, (_, i) => i)

const originsOf = (entry: Entry.Entry): ReadonlyArray<Origin.Origin> => [
  ...(LeasedRef.current(entry.cell).origins?.[entry.path] ?? []),
  { keys: [entry.path], axes: Origin.axesOf(entry.path, entry.shape.length) }
]

const raised = (prefix: string, above: number): string => {
  const parts = prefix === "" ? [] : prefix.split(".")
  return parts.slice(0, Math.max(0, parts.length - above)).join(".")
}

/** The shape that a tensor there must have. */
const shapeThere = (origin: Origin.Origin, entry: Entry.Entry): ReadonlyArray<number> => {
  const axes = axesOf(origin, entry)
  const whole = StoredView.inverse(axes).map((i) => entry.shape[i] as number)
  return origin.part === undefined ? whole : whole.map((d, i) => (i === 0 ? d * (origin.part?.of ?? 1) : d))
}

const shapeText = (shape: ReadonlyArray<number>): string => `[${shape.join(", ")}]`

const ownValue = (dict: Dict, entry: Entry.Entry): Result.Result<Found | undefined, ShapeMismatch> => {
  const found = originsOf(entry)
    .map((origin) => {
      const at = raised(entry.prefix, origin.above ?? 0)
      return { origin, keys: origin.keys.map((key) => dict.keyOf(Entry.dotted(at, key))) }
    })
    .find(({ keys }) => keys.every((key) => key !== undefined))
  if (found === undefined) return Result.succeed(undefined)
  const { origin } = found
  const keys = found.keys as ReadonlyArray<string>
  const wanted = shapeThere(origin, entry)
  for (const key of keys) {
    const { shape } = dict.tensors[key] as Stored.Stored
    if (shapeText(shape) !== shapeText(wanted))
      return Result.fail(
        new ShapeMismatch({ what: `"${key}" in PyTorch's layout`, expected: shapeText(wanted), actual: shape })
      )
  }
  const turned = keys.map((key) => {
    const stored = dict.tensors[key] as Stored.Stored
    const one = origin.part === undefined ? stored : StoredView.part(stored, origin.part.index, origin.part.of)
    return StoredView.transpose(one, axesOf(origin, entry))
  })
  const value = StoredView.sum(turned as [Stored.Stored, ...Array<Stored.Stored>])
  return Result.succeed({ name: entry.name, value, keys })
}

// ---- a quantizer's ------------------------------------------------------------------------------------------

type Shape = ReadonlyArray<number>

/** The axes there of what has this shape here. */
type Axes = (proxy: string, shape: Shape) => ReadonlyArray<number>

/**
 * The axes of one number for each group of a weight: as the weight lies, but for an axis that is two, the groups and a 1 for what is in
 * them; undefined where the shape is none of such.
 */
const groupAxes = (axes: ReadonlyArray<number>, whole: Shape, shape: Shape): ReadonlyArray<number> | undefined => {
  const fits = (dim: number): boolean =>
    shape[dim + 1] === 1 && whole.every((d, i) => i === dim || d === shape[i < dim ? i : i + 1])
  const dim = [whole.length - 2, whole.length - 1].find(fits)
  const split = dim === undefined ? undefined : axes[dim]
  if (dim === undefined || split === undefined) return undefined
  return shape.map((_, i) => {
    if (i === dim || i === dim + 1) return split + i - dim
    const axis = axes[i < dim ? i : i - 1] as number
    return axis > split ? axis + 1 : axis
  })
}

/** The axes of what lies as the weight of a proxy does: those of the weight next to it. */
const weightAxes = (entries: ReadonlyArray<Entry.Entry>): Axes => {
  const byName = new Map(entries.filter(({ own }) => own).map((entry) => [entry.name, entry]))
  return (proxy, shape) => {
    const weight = byName.get(Entry.dotted(raised(proxy, 1), "weight"))
    const origin = weight === undefined ? undefined : originsOf(weight)[0]
    const axes = weight === undefined || origin === undefined ? undefined : axesOf(origin, weight)
    if (axes?.length === shape.length) return axes
    const grouped = axes?.length === shape.length - 1 && weight ? groupAxes(axes, weight.shape, shape) : undefined
    return grouped ?? Origin.axesOf("weight", shape.length)
  }
}

const isLine = (shape: ReadonlyArray<number>): boolean => shape.filter((d) => d !== 1).length <= 1

/** A value of a quantizer in the layout here: what has one axis at most is the same in every layout. */
const turnedAs = (
  stored: Stored.Stored,
  key: string,
  entry: Entry.Entry,
  proxy: QuantProxy | undefined,
  axes: Axes
): Result.Result<Stored.Stored, ShapeMismatch> => {
  if (isLine(stored.shape)) return Result.succeed(stored)
  const turned = proxy?.slot === "weight" ? StoredView.transpose(stored, axes(entry.prefix, entry.shape)) : stored
  return shapeText(turned.shape) === shapeText(entry.shape)
    ? Result.succeed(turned)
    : Result.fail(
        new ShapeMismatch({
          what: `"${key}" in the layout of "${entry.name}"`,
          expected: shapeText(entry.shape),
          actual: turned.shape
        })
      )
}

// ---- from PyTorch -------------------------------------------------------------------------------------------

const proxiesOf = (layer: Stateful): ReadonlyMap<string, QuantProxy> => new Map(layer.proxies)

/**
 * A state dict under the names of a layer and in its layouts, for `State.load`. What nothing takes keeps its name, so that the load
 * reports it; the counters of batch normalization are left behind.
 *
 * - errors: ShapeMismatch, which names the tensor, where one has another shape than the layer wants
 *
 * @category PyTorch
 * @since 0.3.0
 */
export const fromStateDict = (layer: Stateful, tensors: Stored.Tensors): Result.Result<Stored.Tensors, ShapeMismatch> =>
  Result.gen(function* () {
    const dict = dictOf(tensors)
    const entries = Entry.of(layer)
    const axes = weightAxes(entries)
    const proxies = proxiesOf(layer)
    const byName = new Map(entries.map((entry) => [entry.name, entry]))
    const found: Array<Found> = []
    const ofQuantizer = function* (name: string, entry: Entry.Entry) {
      const key = dict.keyOf(name)
      if (key === undefined || !Object.hasOwn(dict.tensors, key)) return
      const stored = dict.tensors[key] as Stored.Stored
      const value = yield* turnedAs(stored, key, entry, proxies.get(entry.prefix), axes)
      found.push({ name, value, keys: [key] })
    }
    for (const entry of entries) {
      if (!entry.own) yield* ofQuantizer(entry.name, entry)
      else {
        const own: Found | undefined = yield* ownValue(dict, entry)
        if (own !== undefined) found.push(own)
      }
    }
    for (const [name, alias] of Entry.aliases(layer)) yield* ofQuantizer(name, byName.get(alias.name) as Entry.Entry)
    const used = new Set(found.flatMap(({ keys }) => keys))
    const left = Object.entries(dict.tensors).filter(([key]) => !used.has(key) && !Names.isUnused(key))
    return Object.fromEntries([...found.map(({ name, value }) => [name, value] as const), ...left])
  })

/**
 * Loads a state dict of PyTorch as `State.load` does; by default with the policy `"float"`, which adopts a float network: only what
 * quantizers learn may be missing.
 *
 * - errors: as `State.load`; ShapeMismatch as `fromStateDict`
 *
 * @category PyTorch
 * @since 0.3.0
 */
export const load = Effect.fn("PyTorch.load")(function* (
  layer: Stateful,
  tensors: Stored.Tensors,
  options: State.Policy | State.Options = "float"
): Effect.fn.Return<State.Loaded, MissingKeys | UnexpectedKeys | ShapeMismatch | ResolutionError> {
  return yield* State.load(layer, yield* Effect.fromResult(fromStateDict(layer, tensors)), options)
})

// ---- to PyTorch ---------------------------------------------------------------------------------------------

/**
 * The state of a layer under the names of Brevitas and in PyTorch's layouts, for `Safetensors.encode`: what `State.extract` has.
 *
 * @category PyTorch
 * @since 0.3.0
 */
export const toStateDict = (layer: Stateful): Effect.Effect<Stored.Tensors> =>
  Effect.map(State.extract(layer), (state) => {
    const entries = Entry.of(layer)
    const axes = weightAxes(entries)
    const proxies = proxiesOf(layer)
    const there = ({ name, prefix, path, own }: Entry.Entry): ReadonlyArray<readonly [string, Stored.Stored]> => {
      const stored = state[name]
      if (stored === undefined) return []
      const rank = stored.shape.length
      const back = (order: ReadonlyArray<number>): Stored.Stored =>
        order.length === rank ? StoredView.transpose(stored, StoredView.inverse(order)) : stored
      if (own) {
        const lying = /(^|\.)weight$/.test(path)
          ? axes(Entry.dotted(prefix, path), stored.shape)
          : Origin.axesOf(path, rank)
        return [[Names.snake(name), back(lying)]]
      }
      const slot = proxies.get(prefix)?.slot ?? "activation"
      return [[Names.ofQuantizer(prefix, slot, path), slot === "weight" ? back(axes(prefix, stored.shape)) : stored]]
    }
    return Object.fromEntries(entries.flatMap(there))
  })
