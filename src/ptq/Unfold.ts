/**
 * Layers as products of matrices: the weight of each group as a matrix, and the inputs that each of its outputs is a product with.
 *
 * Room: ptq (level 5). Imports: tfjs, `nn`, `./Matrix.ts`. Laws: test/ptq/Unfold.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Form, Pad, Windows } from "../nn/Form.ts"
import type { Weighted } from "../nn/Weighted.ts"
import * as Matrix from "./Matrix.ts"
import type { Host } from "./Ptq.ts"

/** How a weight lies: `[positions, inputs, outputs]`, the outputs group by group. */
export interface Lie {
  readonly groups: number
  /** positions of the kernel; 1 for a linear layer */
  readonly positions: number
  /** input channels of a group */
  readonly inputs: number
  /** all output channels */
  readonly outputs: number
}

type Product = Extract<Form, { readonly op: "linear" | "conv" }>

/** What a layer computes, if it is a product of its weight with windows of its input: linear, or a convolution. */
export const formOf = ({ form }: Weighted): Product | undefined =>
  form?.op === "linear" || form?.op === "conv" ? form : undefined

export const lieOf = (form: Product, shape: ReadonlyArray<number>): Lie => ({
  groups: form.op === "conv" ? form.groups : 1,
  positions: shape.slice(0, -2).reduce((a, b) => a * b, 1),
  inputs: shape.at(-2) as number,
  outputs: shape.at(-1) as number
})

/** Where the element of an output (of its group) and a column is: columns go input by input, for each through all positions. */
const placeOf = (
  { groups, positions, inputs, outputs }: Lie,
  group: number,
  output: number,
  column: number
): number => {
  const [input, position] = [Math.floor(column / positions), column % positions]
  return (position * inputs + input) * outputs + (group * outputs) / groups + output
}

/** The weight of each group, `[outputs, columns]`. */
export const matricesOf = (lie: Lie, { data }: Host): ReadonlyArray<Matrix.Matrix> =>
  Array.from({ length: lie.groups }, (_, group) => {
    const matrix = Matrix.zeros(lie.outputs / lie.groups, lie.inputs * lie.positions)
    for (let i = 0; i < matrix.rows; i++)
      for (let j = 0; j < matrix.columns; j++)
        matrix.data[i * matrix.columns + j] = data[placeOf(lie, group, i, j)] as number
    return matrix
  })

/** The weight back from the matrices of its groups. */
export const weightOf = (lie: Lie, shape: ReadonlyArray<number>, matrices: ReadonlyArray<Matrix.Matrix>): Host => {
  const data = new Float32Array(lie.positions * lie.inputs * lie.outputs)
  matrices.forEach((matrix, group) => {
    for (let i = 0; i < matrix.rows; i++)
      for (let j = 0; j < matrix.columns; j++) data[placeOf(lie, group, i, j)] = Matrix.at(matrix, i, j)
  })
  return { shape, data }
}

/** Puts one column of a group into a weight. */
export const put = (lie: Lie, data: Float32Array, group: number, column: number, values: ArrayLike<number>): void => {
  for (let i = 0; i < values.length; i++) data[placeOf(lie, group, i, column)] = values[i] as number
}

/** One column of a group of a weight. */
export const take = (lie: Lie, data: ArrayLike<number>, group: number, column: number): Float64Array =>
  Float64Array.from({ length: lie.outputs / lie.groups }, (_, i) => data[placeOf(lie, group, i, column)] as number)

// ---- inputs -------------------------------------------------------------------------------------------------

/** How far an image is padded along an axis. */
const sidesOf = (pad: Pad, axis: number, size: number, kernel: number, stride: number): [number, number] => {
  if (pad === "valid") return [0, 0]
  if (pad !== "same") return [...(pad[axis] ?? [0, 0])]
  const all = Math.max((Math.ceil(size / stride) - 1) * stride + kernel - size, 0)
  return [Math.floor(all / 2), all - Math.floor(all / 2)]
}

const each = (sizes: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<number>> =>
  sizes.reduce<ReadonlyArray<ReadonlyArray<number>>>(
    (all, size) => all.flatMap((start) => Array.from({ length: size }, (_, i) => [...start, i])),
    [[]]
  )

/** Every window of images: `[n, ...windows, channels, positions]`. */
const windows = (x: tf.Tensor, kernel: ReadonlyArray<number>, { strides, dilations, pad }: Windows): tf.Tensor => {
  const reach = kernel.map((k, axis) => (k - 1) * (dilations[axis] ?? 1) + 1)
  const sides = reach.map((k, axis) => sidesOf(pad, axis, x.shape[axis + 1] as number, k, strides[axis] ?? 1))
  const padded = sides.every(([a, b]) => a === 0 && b === 0) ? x : tf.pad(x, [[0, 0], ...sides, [0, 0]])
  const [n, channels] = [x.shape[0] as number, x.shape.at(-1) as number]
  const steps = [1, ...kernel.map((_, axis) => strides[axis] ?? 1), 1]
  const spans = reach.map((k, axis) => {
    const [stride, size] = [strides[axis] ?? 1, padded.shape[axis + 1] as number]
    return Math.floor((size - k) / stride) * stride + 1
  })
  const parts = each(kernel).map((offset) => {
    const from = offset.map((i, axis) => i * (dilations[axis] ?? 1))
    const to = from.map((start, axis) => start + (spans[axis] as number))
    return tf.expandDims(tf.stridedSlice(padded, [0, ...from, 0], [n, ...to, channels], steps), -1)
  })
  return parts.length === 1 ? (parts[0] as tf.Tensor) : tf.concat(parts, -1)
}

/**
 * What the matrix of each group is multiplied with, `[rows, columns]`: rows of the input, or its windows; call it within a `tf.tidy`.
 */
export const inputsOf = (form: Product, shape: ReadonlyArray<number>, x: tf.Tensor): ReadonlyArray<tf.Tensor2D> => {
  const lie = lieOf(form, shape)
  const columns = lie.inputs * lie.positions
  if (form.op === "linear") return [tf.reshape(x, [-1, columns])]
  const all = windows(x, shape.slice(0, -2), form)
  const axis = all.rank - 2
  return tf.split(all, lie.groups, axis).map((part) => tf.reshape(part, [-1, columns]))
}
