/**
 * Layouts: the reference keeps channels second (NC..., OI...), breve keeps them last (N...C, ...IO).
 */
import * as tf from "@tensorflow/tfjs-core"

/** Where each axis of breve's layout is in the reference's, for tensors of a rank. */
export type Layout = (rank: number) => ReadonlyArray<number>

const range = (from: number, to: number): ReadonlyArray<number> => Array.from({ length: to - from }, (_, i) => from + i)

export const asItIs: Layout = (rank) => range(0, rank)
/** N...C of NC... */
export const channelsLast: Layout = (rank) => (rank < 3 ? range(0, rank) : [0, ...range(2, rank), 1])
/** [in, out] of [out, in], and HWIO of OIHW. */
export const outputLast: Layout = (rank) => (rank < 2 ? range(0, rank) : [...range(2, rank), 1, 0])
/** HWOI of IOHW, of transposed convolutions, which are HWOI in TensorFlow. */
export const transposedOutput: Layout = (rank) => (rank < 2 ? range(0, rank) : [...range(2, rank), 1, 0])

/** The axis of the input channels of a weight, in breve's layout. */
export const inputAxis = (layout: Layout, rank: number): number => (layout === transposedOutput ? rank - 1 : rank - 2)

const inverse = (axes: ReadonlyArray<number>): ReadonlyArray<number> => axes.map((_, i) => axes.indexOf(i))

/** A tensor of the reference in breve's layout. */
export const ours = (layout: Layout, x: tf.Tensor): tf.Tensor => tf.transpose(x, [...layout(x.rank)])
/** A tensor of breve's in the layout of the reference. */
export const theirs = (layout: Layout, x: tf.Tensor): tf.Tensor => tf.transpose(x, [...inverse(layout(x.rank))])

/** The group axis and the permutation of `[..., groups, size, ...]`, where the axis `dim` of breve's layout is split in two. */
export const theirGroups = (layout: Layout, x: tf.Tensor, dim: number): readonly [grouped: tf.Tensor, dim: number] => {
  const back = inverse(layout(x.rank - 1))
  const axes = back.flatMap((axis) => (axis === dim ? [dim, dim + 1] : [axis > dim ? axis + 1 : axis]))
  return [tf.transpose(x, axes), back.indexOf(dim)]
}
