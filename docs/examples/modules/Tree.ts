import { Tree } from "breve"

/** The leaves of a tree by dotted name, and the same tree with other leaves. */
export const example = () => {
  const tree = { fc1: { weight: 1, bias: 2 }, scale: 3 }
  return { leaves: Tree.leaves(tree), doubled: Tree.map(tree, (leaf) => 2 * leaf) }
}

export const shows = {
  leaves: [
    ["fc1.weight", 1],
    ["fc1.bias", 2],
    ["scale", 3]
  ],
  doubled: { fc1: { weight: 2, bias: 4 }, scale: 6 }
}
