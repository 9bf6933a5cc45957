/**
 * Putting loaded values into a layer, all at once or not at all.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `proxy`, `tensor`, `./Entry.ts`, `./Layer.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, MutableRef, type Scope } from "effect"
import * as Cell from "../proxy/Cell.ts"
import * as QuantProxy from "../proxy/QuantProxy.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Tree from "../tensor/Tree.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as Entry from "./Entry.ts"
import type { Stateful } from "./Layer.ts"

/** A value for a name in a cell, still to be made; no name has two. */
export interface Value {
  readonly cell: Cell.Cell
  readonly path: string
  readonly make: () => tf.Tensor
}

// ---- locks --------------------------------------------------------------------------------------------------

/** A number of each cell's own: the order in which cells are locked, the same for everybody, so that no two loads wait for each other. */
const ranks = new WeakMap<Cell.Cell, number>()
const nextRank = MutableRef.make(0)
export const rankOf = (cell: Cell.Cell): number => {
  const rank = ranks.get(cell) ?? MutableRef.getAndIncrement(nextRank)
  ranks.set(cell, rank)
  return rank
}

/** Runs while no reload, no joining layer and no other load touches the cells of a layer. */
export const locked = <A, E, R>(layer: Stateful, body: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Entry.uniqueBy(
    layer.cells.map(([, cell]) => cell),
    (cell) => cell
  )
    .toSorted((a, b) => rankOf(b) - rankOf(a))
    .reduce((inner, { lock }) => lock.withPermit(inner), body)

// ---- swapping -----------------------------------------------------------------------------------------------

/** Tensors that nobody has taken yet, which are disposed with the Scope. */
const held: Effect.Effect<Set<tf.Tensor>, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => new Set<tf.Tensor>()),
  (left) => Effect.sync(() => tf.dispose([...left]))
)

const none: ReadonlyMap<string, tf.Tensor> = new Map()

/** The values by cell and name, each in the keeping of `left` as soon as it is made. */
const made = (
  values: ReadonlyArray<Value>,
  left: Set<tf.Tensor>
): ReadonlyMap<Cell.Cell, ReadonlyMap<string, tf.Tensor>> => {
  const byCell = new Map<Cell.Cell, Map<string, tf.Tensor>>()
  for (const { cell, path, make } of values) {
    const tensor = make()
    left.add(tensor)
    byCell.set(cell, (byCell.get(cell) ?? new Map()).set(path, tensor))
  }
  return byCell
}

/**
 * Stages everything, then swaps everything without a gap. With `reinitialize` every
 * quantizer is resolved for the new weights first; without, they stay as they are, but for the values.
 */
export const replace = (
  layer: Stateful,
  wanted: ReadonlyArray<Value>,
  reinitialize: boolean
): Effect.Effect<void, ResolutionError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const left = yield* held
      const values = yield* Effect.sync(() => made(wanted, left))
      const own = Entry.uniqueBy(
        layer.cells.map(([, cell]) => cell).filter((cell) => Entry.isOwn(layer, cell)),
        (cell) => cell
      )
      const proxies = Entry.uniqueBy(
        layer.proxies.map(([, proxy]) => proxy),
        (proxy) => proxy
      )
      const candidates: Cell.Candidates = (cell) =>
        own.includes(cell) ? Entry.loaded(LeasedRef.current(cell), values.get(cell) ?? none).parameters : undefined
      const put = (cell: Cell.Cell, from: Cell.Cell): void => {
        const next = Entry.loaded(LeasedRef.current(cell), values.get(from) ?? none)
        Cell.commit(cell, next)
        for (const tensor of [...Tree.tensors(next.parameters), ...Tree.tensors(next.memory)]) left.delete(tensor)
      }
      const staged = reinitialize
        ? yield* Effect.forEach(proxies, (proxy) =>
            Effect.map(QuantProxy.stage(proxy, candidates), (s) => [proxy, s] as const)
          )
        : []
      yield* Effect.uninterruptible(
        Effect.gen(function* () {
          for (const cell of own) put(cell, cell)
          if (!reinitialize) for (const { cell } of proxies) if (values.has(cell)) put(cell, cell)
          for (const [proxy, s] of staged) {
            put(s.ref, proxy.cell)
            yield* LeasedRef.swap(proxy.cell, s)
          }
        })
      )
    })
  )
