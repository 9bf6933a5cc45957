/**
 * What of a quantizer's state is saved, by name, and how it is loaded: each brick knows about its own.
 *
 * A learned value that still waits for its statistics is not saved; one that has seen some of them is saved as what it would
 * become, and counts as learned once it is loaded. A brick that stands in several places is saved under the first one.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`. Laws: test/core/Persistence.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Tree from "../tensor/Tree.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** The part of a state that is a brick's own, without its children's. */
export interface Own {
  readonly parameters: Tree.Parameters
  readonly memory: Tree.Memory
}

/** How a brick's own state is saved and loaded, where that is not simply its parameters. */
export interface Persistence {
  /** what can be saved, by name; absent: the parameters */
  readonly all?: (own: Own) => Tree.Parameters
  /** what is there to be saved now: without what is still to be initialised */
  readonly saved: (own: Own) => Tree.Parameters
  /** the state with some of what was saved; makes no tensors */
  readonly loaded: (own: Own, saved: Tree.Parameters) => Own
  /** names that a state may have in the place of one that can be saved, and what the value becomes under it */
  readonly aliases?: Readonly<Record<string, Alias>>
}
/** Another name of something that is saved, and what becomes of the value. */
export interface Alias {
  readonly name: string
  readonly convert: (value: tf.Tensor) => tf.Tensor
}

/** What is looked at in a brick. */
export interface Part {
  readonly children: Readonly<Record<string, Part>>
  readonly persistence?: Persistence | undefined
}

// ---- walking ------------------------------------------------------------------------------------------------

type Node = Tree.Tree<tf.Tensor | number>

const isLeaf = (node: unknown): boolean => typeof node === "number" || node instanceof tf.Tensor

/** The leaves of a node itself. */
const leavesOf = <Leaf extends tf.Tensor | number>(tree: Tree.Tree<Leaf>): Tree.Tree<Leaf> =>
  Object.fromEntries(Object.entries(tree).filter(([, node]) => isLeaf(node)))

const ownOf = ({ parameters, memory }: Own): Own => ({
  parameters: leavesOf(parameters),
  memory: leavesOf(memory)
})

const below = ({ parameters, memory }: Own, name: string): Own => ({
  parameters: Tree.at(parameters, name),
  memory: Tree.at(memory, name)
})

/** Whether the state has something of a brick's own: one that stands here for the second time has none. */
const has = ({ parameters, memory }: Own): boolean => Object.keys(parameters).length + Object.keys(memory).length > 0

const plain: Persistence = {
  saved: ({ parameters }) => parameters,
  loaded: (own, parameters) => ({ ...own, parameters: { ...own.parameters, ...parameters } })
}
const of = (brick: Part): Persistence => brick.persistence ?? plain

/** Something about every brick that has a state of its own, with its dotted path. */
const each = <A>(
  brick: Part,
  state: Own,
  f: (persistence: Persistence, own: Own, prefix: string) => ReadonlyArray<A>,
  prefix = ""
): ReadonlyArray<A> => {
  const own = ownOf(state)
  const mine = has(own) ? f(of(brick), own, prefix) : []
  const inner = Object.entries(brick.children).flatMap(([name, child]) => {
    const part = below(state, name)
    return has(part) ? each(child, part, f, `${prefix}${name}.`) : []
  })
  return [...mine, ...inner]
}

// ---- operations ---------------------------------------------------------------------------------------------

type Named = readonly [name: string, tensor: tf.Tensor]
const named = (parameters: Tree.Parameters, prefix: string): ReadonlyArray<Named> => Tree.leaves(parameters, prefix)

/** All that can be saved, by dotted name, with tensors of the shapes that a load wants. */
export const all = (brick: Part, state: Own): ReadonlyArray<Named> =>
  each(brick, state, ({ all: names }, own, prefix) => named(names?.(own) ?? own.parameters, prefix))

/** What is there to be saved now. Some of the tensors are the state's own, others new. */
export const saved = (brick: Part, state: Own): ReadonlyArray<Named> =>
  each(brick, state, (persistence, own, prefix) => named(persistence.saved(own), prefix))

/** Names that a state may have in the place of one that can be saved. */
export const aliases = (brick: Part, state: Own): ReadonlyMap<string, Alias> =>
  new Map(
    each(brick, state, ({ aliases: others = {} }, _, prefix) =>
      Object.entries(others).map(([name, alias]) => [prefix + name, { ...alias, name: prefix + alias.name }] as const)
    )
  )

const put = <Leaf extends tf.Tensor | number>(tree: Tree.Tree<Leaf>, name: string, inner: Node): Tree.Tree<Leaf> =>
  Object.keys(inner).length === 0 ? tree : { ...tree, [name]: inner as Tree.Tree<Leaf> }

/** The state with these values, by dotted name, in it; names that nothing takes are passed over. Makes no tensors. */
export const loaded = (brick: Part, state: Own, values: ReadonlyMap<string, tf.Tensor>, prefix = ""): Own => {
  const own = ownOf(state)
  const names = has(own) ? named(of(brick).all?.(own) ?? own.parameters, "").map(([name]) => name) : []
  const given = Object.fromEntries(
    names.flatMap((name) => {
      const value = values.get(prefix + name)
      return value === undefined ? [] : [[name, value] as const]
    })
  )
  const mine = Object.keys(given).length === 0 ? own : of(brick).loaded(own, given)
  const start: Own = {
    parameters: { ...state.parameters, ...mine.parameters },
    memory: { ...state.memory, ...mine.memory }
  }
  return Object.entries(brick.children).reduce((whole, [name, child]) => {
    const part = below(state, name)
    if (!has(part)) return whole
    const { parameters, memory } = loaded(child, part, values, `${prefix}${name}.`)
    return { parameters: put(whole.parameters, name, parameters), memory: put(whole.memory, name, memory) }
  }, start)
}
