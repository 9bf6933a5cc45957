/**
 * What of a layer's state has a name: its own parameters and averages, and what its quantizers save.
 *
 * Room: nn (level 4). Imports: tfjs, `core`, `proxy`, `tensor`, `./Layer.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Persistence from "../core/Persistence.ts"
import type * as Cell from "../proxy/Cell.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Tree from "../tensor/Tree.ts"
import type { Stateful } from "./Layer.ts"

/** One name of a state. */
export interface Entry {
  /** `conv1.weightQuant.scalingImpl.value` */
  readonly name: string
  /** the cell's name, `conv1.weightQuant`, and the name within the cell, `scalingImpl.value` */
  readonly prefix: string
  readonly path: string
  readonly cell: Cell.Cell
  /** whether it is the layer's own, not one of its quantizers' */
  readonly own: boolean
  readonly shape: ReadonlyArray<number>
}

/** A name that a state may have in the place of an entry's, and what becomes of its value. */
export interface Alias {
  readonly name: string
  readonly convert: (value: tf.Tensor) => tf.Tensor
}

/** The name of something in a cell. */
export const dotted = (prefix: string, name: string): string => (prefix === "" ? name : `${prefix}.${name}`)

export const uniqueBy = <A>(items: ReadonlyArray<A>, key: (a: A) => unknown): ReadonlyArray<A> =>
  [...new Map(items.toReversed().map((item) => [key(item), item])).values()].toReversed()

type Named = readonly [path: string, tensor: tf.Tensor]

/** A layer's own state: what is learned, and averages, but no counts. */
const ownLeaves = ({ parameters, memory }: Cell.State): ReadonlyArray<Named> => [
  ...Tree.leaves(parameters),
  ...Tree.leaves(memory).filter((leaf): leaf is [string, tf.Tensor] => leaf[1] instanceof tf.Tensor)
]

/** All names within a cell, with tensors of their shapes. */
const all = (living: Cell.Living): ReadonlyArray<Named> =>
  living.quantizer === undefined ? ownLeaves(living) : Persistence.all(living.quantizer, living)

/** What is in a cell to be saved now; some of the tensors are the cell's, others new. */
export const saved = (living: Cell.Living): ReadonlyArray<Named> =>
  living.quantizer === undefined ? ownLeaves(living) : Persistence.saved(living.quantizer, living)

/** A state with these values in it, by their names within the cell. Makes no tensors. */
export const loaded = (living: Cell.Living, values: ReadonlyMap<string, tf.Tensor>): Cell.State => {
  if (living.quantizer !== undefined) return Persistence.loaded(living.quantizer, living, values)
  const { parameters, memory } = living
  const put = <Leaf extends tf.Tensor | number>(tree: Tree.Tree<Leaf>): Tree.Tree<Leaf> =>
    Tree.map(tree, (leaf, name) => (values.get(name) as Leaf | undefined) ?? leaf)
  return { parameters: put(parameters), memory: put(memory) }
}

/** Whether a cell is a layer's own, and not a proxy's. */
export const isOwn = (layer: Stateful, cell: Cell.Cell): boolean =>
  layer.proxies.every(([, proxy]) => proxy.cell !== cell)

/** All names of a layer; what layers share has several. */
export const of = (layer: Stateful): ReadonlyArray<Entry> =>
  layer.cells.flatMap(([prefix, cell]) => {
    const own = isOwn(layer, cell)
    return all(LeasedRef.current(cell)).map(([path, { shape }]) => ({
      name: dotted(prefix, path),
      prefix,
      path,
      cell,
      own,
      shape
    }))
  })

/** The other names that a layer's quantizers take. */
export const aliases = (layer: Stateful): ReadonlyMap<string, Alias> =>
  new Map(
    layer.cells.flatMap(([prefix, cell]) => {
      const living = LeasedRef.current(cell)
      if (living.quantizer === undefined) return []
      return [...Persistence.aliases(living.quantizer, living)].map(
        ([name, alias]) => [dotted(prefix, name), { ...alias, name: dotted(prefix, alias.name) }] as const
      )
    })
  )
