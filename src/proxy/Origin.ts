/**
 * Where a layer's own parameters come from in a PyTorch state dict. A layer says it with its state, so that one of a new kind is
 * adopted without anybody else knowing of it.
 *
 * Without a word of the layer a parameter has the same name there, in snake case, and the same axes; a `weight` of two axes or
 * more, `[...spatial, a, b]` here, is `[b, a, ...spatial]` there. That is so for linear layers and for convolutions of any
 * dimension, transposed ones too.
 *
 * Room: proxy (level 3). Imports: none.
 */

/** One way to find a parameter. */
export interface Origin {
  /** names there, next to the layer's others; several are added up, such as the two biases of a recurrent layer */
  readonly keys: readonly [string, ...ReadonlyArray<string>]
  /** how many names the keys stand above the cell's own, `"rnn.layers.0"` and 2: next to `rnn` itself; default: 0 */
  readonly above?: number
  /** the part of the first axis there that is meant, counted from 0: one gate of several that stand in one tensor */
  readonly part?: { readonly index: number; readonly of: number }
  /** axis `i` here is axis `axes[i]` there; default: the same for all */
  readonly axes?: ReadonlyArray<number>
}

/** By the parameter's dotted name within the cell: the ways to find it, tried in order before the rule above. */
export type Origins = Readonly<Record<string, ReadonlyArray<Origin>>>

const isWeight = (path: string): boolean => path === "weight" || path.endsWith(".weight")

/** The axes there of a parameter that its layer says nothing about. */
export const axesOf = (path: string, rank: number): ReadonlyArray<number> =>
  isWeight(path) && rank >= 2
    ? [...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1, 0]
    : Array.from({ length: rank }, (_, i) => i)
