/**
 * Bricks that stand in several places of a tree: their state is kept at the first place, and lent to the others for each call.
 *
 * Room: core (level 2). Imports: `tensor`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import type * as Tree from "../tensor/Tree.ts"

/** What is looked at in a brick. */
export interface Node<N> {
  readonly children: Readonly<Record<string, N>>
}
type Path = ReadonlyArray<string>

/** The state under `from` serves `to` as well. */
export interface Loan {
  readonly from: Path
  readonly to: Path
}
interface State {
  readonly parameters: Tree.Parameters
  readonly memory: Tree.Memory
}

// ---- trees --------------------------------------------------------------------------------------------------

type Inner<Leaf> = Leaf | Tree.Tree<Leaf> | undefined

const at = <Leaf>(tree: Inner<Leaf>, [head, ...rest]: Path): Inner<Leaf> =>
  head === undefined || tree === undefined ? tree : at((tree as Tree.Tree<Leaf>)[head], rest)

/** The tree with something else at a path; without the path, if that is nothing. */
const put = <Leaf>(tree: Tree.Tree<Leaf>, path: Path, inner: Inner<Leaf>): Tree.Tree<Leaf> => {
  const [head, ...rest] = path
  if (head === undefined) return (inner ?? {}) as Tree.Tree<Leaf>
  const below = rest.length === 0 ? inner : put((tree[head] ?? {}) as Tree.Tree<Leaf>, rest, inner)
  const { [head]: _, ...others } = tree
  const nothing =
    below === undefined || (rest.length > 0 && inner === undefined && Object.keys(below as object).length === 0)
  return nothing ? others : { ...tree, [head]: below as Leaf | Tree.Tree<Leaf> }
}

// ---- loans --------------------------------------------------------------------------------------------------

/** The loans between different children; those within one child are its own affair. Only what is stateful is looked at. */
export const loans = <N extends Node<N>>(
  children: Readonly<Record<string, N>>,
  isStateful: (node: N) => boolean
): ReadonlyArray<Loan> => {
  const first = new Map<N, Path>()
  const found: Array<Loan> = []
  const below = (nodes: Readonly<Record<string, N>>, path: Path): void => {
    for (const name in nodes) {
      const node = nodes[name] as N
      if (!isStateful(node)) continue
      const to = [...path, name]
      const from = first.get(node)
      if (from === undefined) {
        first.set(node, to)
        below(node.children, to)
      } else if (from[0] !== to[0]) found.push({ from, to })
    }
  }
  below(children, [])
  return found
}

/** A tree without what is lent: each leaf once. */
export const once = <Leaf extends tf.Tensor | number>(
  tree: Tree.Tree<Leaf>,
  all: ReadonlyArray<Loan>
): Tree.Tree<Leaf> => all.reduce((rest, { to }) => (at(rest, to) === undefined ? rest : put(rest, to, undefined)), tree)

const lentTree = <Leaf>(tree: Tree.Tree<Leaf>, all: ReadonlyArray<Loan>): Tree.Tree<Leaf> =>
  all.reduce((whole, { from, to }) => {
    const inner = at(whole, from)
    return inner === undefined ? whole : put(whole, to, inner)
  }, tree)

/** A state with every loan where it is needed. */
export const lent = <S extends State>(state: S, all: ReadonlyArray<Loan>): S => ({
  ...state,
  parameters: lentTree(state.parameters, all),
  memory: lentTree(state.memory, all)
})

/** A tree after a call, each leaf once: what changed in one place only, changed; the first place decides between two. */
export const returned = <Leaf extends tf.Tensor | number>(
  before: Tree.Tree<Leaf>,
  after: Tree.Tree<Leaf>,
  all: ReadonlyArray<Loan>
): Tree.Tree<Leaf> =>
  once(
    all.reduce((tree, { from, to }) => {
      const [unchanged, changed] = [at(tree, from) === at(before, from), at(tree, to) !== at(before, to)]
      return unchanged && changed ? put(tree, from, at(tree, to)) : tree
    }, after),
    all
  )
