/**
 * The parameters of a layer or model by name: taking them out and loading them.
 *
 * A load is all or nothing: it checks first, resolves every quantizer for the new weights, and swaps as its last step.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `proxy`, `tensor`, `./Layer.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as Cell from "../proxy/Cell.ts"
import * as QuantProxy from "../proxy/QuantProxy.ts"
import { MissingKeys, nearest, type ResolutionError, ShapeMismatch, UnexpectedKeys } from "../tensor/Errors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Tree from "../tensor/Tree.ts"
import type { Layer } from "./Layer.ts"

/** Tensors by dotted name: `"weight"`, `"conv1.weightQuant.scalingImpl.value"`. */
export type StateDict = Readonly<Record<string, tf.Tensor>>

/**
 * What a load does about names that do not match: `"report"` loads what fits; `"float"` lets only quantizers lack keys, so
 * that a float network can be adopted; `"strict"` wants exactly all names.
 */
export type Policy = "report" | "float" | "strict"

/** What a load did. */
export interface Loaded {
  readonly adopted: ReadonlyArray<string>
  readonly missing: ReadonlyArray<string>
  readonly unexpected: ReadonlyArray<string>
}

const dotted = (prefix: string, name: string): string => (prefix === "" ? name : `${prefix}.${name}`)

/** The names and tensors of one cell's parameters. */
const named = (prefix: string, parameters: Tree.Parameters): ReadonlyArray<readonly [string, tf.Tensor]> =>
  Tree.leaves(parameters).map(([name, tensor]) => [dotted(prefix, name), tensor])

/** All parameters by name; the tensors are the layer's own, valid until the next step or load. */
export const parameters = (layer: Layer): Effect.Effect<StateDict> =>
  Effect.sync(() =>
    Object.fromEntries(layer.cells.flatMap(([prefix, cell]) => named(prefix, LeasedRef.current(cell).parameters)))
  )

const shapeText = (shape: ReadonlyArray<number>): string => `[${shape.join(", ")}]`

const isOwn = (layer: Layer, cell: Cell.Cell): boolean => layer.proxies.every(([, proxy]) => proxy.cell !== cell)

/** A cell's parameters with those that `copies` has. */
const withCopies = (
  prefix: string,
  before: Tree.Parameters,
  copies: ReadonlyMap<string | undefined, tf.Tensor>
): Tree.Parameters => Tree.map(before, (tensor, name) => copies.get(dotted(prefix, name)) ?? tensor)

/**
 * Loads parameters by name. The layers' own are copied, every quantizer is resolved anew for the new weights, then what the
 * state has of the quantizers' own is copied over it. What layers share takes the state under any of its names, else the first.
 */
export const load = Effect.fn("State.load")(function* (layer: Layer, state: StateDict, policy: Policy = "report") {
  const expected = yield* parameters(layer)
  const own = new Set(
    layer.cells.flatMap(([prefix, cell]) =>
      isOwn(layer, cell) ? named(prefix, LeasedRef.current(cell).parameters).map(([name]) => name) : []
    )
  )
  const missing = Object.keys(expected).filter((name) => !Object.hasOwn(state, name))
  const unexpected = Object.keys(state).filter((name) => !Object.hasOwn(expected, name))
  const adopted = Object.keys(state).filter((name) => Object.hasOwn(expected, name))
  const lacking = policy === "strict" ? missing : policy === "float" ? missing.filter((name) => own.has(name)) : []
  if (lacking.length > 0) return yield* new MissingKeys({ keys: lacking, policy })
  if (policy !== "report" && unexpected.length > 0)
    return yield* new UnexpectedKeys({
      keys: unexpected,
      policy,
      nearest: unexpected.map((name) => nearest(name, Object.keys(expected)))
    })
  for (const name of adopted) {
    const [wanted, got] = [expected[name] as tf.Tensor, state[name] as tf.Tensor]
    if (wanted.size !== got.size || (own.has(name) && shapeText(wanted.shape) !== shapeText(got.shape)))
      return yield* new ShapeMismatch({ what: `state "${name}"`, expected: shapeText(wanted.shape), actual: got.shape })
  }
  yield* replace(layer, expected, state, adopted)
  return { adopted, missing, unexpected } satisfies Loaded
})

/** The first name of every parameter by each of its names: a cell that layers share has several. */
const firstNames = (layer: Layer): ReadonlyMap<string, string> =>
  new Map(
    layer.cells.flatMap(([prefix, cell]) => {
      const first = layer.cells.find(([, other]) => other === cell)?.[0] ?? prefix
      return named("", LeasedRef.current(cell).parameters).map(
        ([name]) => [dotted(prefix, name), dotted(first, name)] as const
      )
    })
  )

/** Copies everything, stages everything, then swaps everything without a gap; the copies that no cell took are disposed. */
const replace = (
  layer: Layer,
  expected: StateDict,
  state: StateDict,
  adopted: ReadonlyArray<string>
): Effect.Effect<void, ResolutionError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const names = firstNames(layer)
      const copies = yield* Effect.acquireRelease(
        Effect.sync(
          () =>
            new Map(
              uniqueBy(adopted, (name) => names.get(name)).map((name) => [
                names.get(name),
                // a reshaped tensor is a new one over the same data
                tf.reshape(state[name] as tf.Tensor, (expected[name] as tf.Tensor).shape)
              ])
            )
        ),
        (left) => Effect.sync(() => tf.dispose([...left.values()]))
      )
      const own = uniqueBy(layer.cells, ([, cell]) => cell).filter(([, cell]) => isOwn(layer, cell))
      const prefixOf = new Map(own.map(([prefix, cell]) => [cell, prefix]))
      const candidates: Cell.Candidates = (cell) => {
        const prefix = prefixOf.get(cell)
        return prefix === undefined ? undefined : withCopies(prefix, LeasedRef.current(cell).parameters, copies)
      }
      const put = (prefix: string, cell: Cell.Cell): void => {
        const { parameters: before, memory } = LeasedRef.current(cell)
        Cell.commit(cell, { parameters: withCopies(prefix, before, copies), memory })
        for (const [name] of named(prefix, before)) copies.delete(name)
      }
      const staged = yield* Effect.forEach(
        uniqueBy(layer.proxies, ([, proxy]) => proxy),
        ([name, proxy]) => Effect.map(QuantProxy.stage(proxy, candidates), (s) => [name, proxy, s] as const)
      )
      yield* Effect.uninterruptible(
        Effect.gen(function* () {
          for (const [prefix, cell] of own) put(prefix, cell)
          for (const [name, proxy, s] of staged) {
            put(name, s.ref)
            yield* LeasedRef.swap(proxy.cell, s)
          }
        })
      )
    })
  )

const uniqueBy = <A>(items: ReadonlyArray<A>, key: (a: A) => unknown): ReadonlyArray<A> =>
  items.filter((item, i) => items.findIndex((other) => key(other) === key(item)) === i)

/** Replaces some of a layer's own parameters and lets its quantizers begin anew, as a load does. */
export const assign = Effect.fn("State.assign")((layer: Layer, state: StateDict) => load(layer, state, "report"))
