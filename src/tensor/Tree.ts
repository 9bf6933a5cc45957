/**
 * Trees of tensors: the parameters of a quantizer, a layer or a model by name, and its memory, which also counts.
 *
 * Room: tensor (level 0). Imports: tfjs.
 */
import * as tf from "@tensorflow/tfjs-core"

/** Names to leaves or smaller trees. */
export interface Tree<out Leaf> {
  readonly [name: string]: Leaf | Tree<Leaf>
}
/** What is learned. */
export type Parameters = Tree<tf.Tensor>
/** What is remembered between calls: running statistics (tensors) and counters (numbers). */
export type Memory = Tree<tf.Tensor | number>

const isTree = <Leaf>(node: Leaf | Tree<Leaf>): node is Tree<Leaf> =>
  typeof node === "object" && node !== null && !(node instanceof tf.Tensor)

/** The leaves with their dotted names, in order of declaration. */
export const leaves = <Leaf extends tf.Tensor | number>(
  tree: Tree<Leaf>,
  prefix = ""
): ReadonlyArray<readonly [name: string, leaf: Leaf]> =>
  Object.entries(tree).flatMap(([name, node]) =>
    isTree(node) ? leaves(node, `${prefix}${name}.`) : [[prefix + name, node] as const]
  )

/** The same tree with other leaves. */
export const map = <A extends tf.Tensor | number, B extends tf.Tensor | number>(
  tree: Tree<A>,
  f: (leaf: A, name: string) => B,
  prefix = ""
): Tree<B> =>
  Object.fromEntries(
    Object.entries(tree).map(([name, node]) => [
      name,
      isTree(node) ? map(node, f, `${prefix}${name}.`) : f(node, prefix + name)
    ])
  )

/** The tree under a name; empty if there is none. */
export const at = <Leaf extends tf.Tensor | number>(tree: Tree<Leaf>, name: string): Tree<Leaf> => {
  const node = tree[name]
  return node !== undefined && isTree(node) ? node : {}
}

/** The tensors of a tree. */
export const tensors = (tree: Memory): ReadonlyArray<tf.Tensor> => {
  const found: Array<tf.Tensor> = []
  collect(tree, found)
  return found
}
const collect = (tree: Memory, found: Array<tf.Tensor>): void => {
  for (const name in tree) {
    const node = tree[name]
    if (node instanceof tf.Tensor) found.push(node)
    else if (typeof node === "object") collect(node, found)
  }
}

/** Disposes the tensors of `tree` that `kept` does not share. */
export const release = (tree: Memory, kept: Memory = {}): void => {
  const shared = new Set(tensors(kept))
  for (const tensor of tensors(tree)) if (!shared.has(tensor)) tensor.dispose()
}
