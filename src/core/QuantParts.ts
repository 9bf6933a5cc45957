/**
 * How the scale, zero-point and width of a quant tensor follow its value into another shape.
 *
 * A part with one element serves every shape. Any other one is looked at with the rank of the value, its missing axes in front.
 *
 * Room: core (level 2). Imports: tfjs, `./QuantValue.ts`. Laws: test/core/QuantTensorShape.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { beside, type QuantTensor, same } from "./QuantValue.ts"

type Shape = ReadonlyArray<number>

/** With so many axes, the missing ones in front. */
export const ofRank = (shape: Shape, rank: number): Array<number> => [
  ...Array.from({ length: Math.max(0, rank - shape.length) }, () => 1),
  ...shape
]

/** In a shape that it broadcasts into; a multiplication is faster than `tf.broadcastTo` on WASM. */
export const spread = (x: tf.Tensor, shape: Shape): tf.Tensor =>
  tf.util.arraysEqual(x.shape, [...shape]) ? same(x) : tf.mul(x, tf.ones([...shape]))

/** Its parts through `f`, with the rank of the value and their names; what has one element is passed on. The value is another. */
export const carried = (
  x: QuantTensor,
  value: tf.Tensor,
  f: (part: tf.Tensor, name: "scale" | "zeroPoint" | "bitWidth") => tf.Tensor
): QuantTensor => {
  const rank = x.value.rank
  const moved = (name: "scale" | "zeroPoint" | "bitWidth"): tf.Tensor => {
    const part = x[name]
    return part.size === 1 ? beside(part, value.rank) : f(tf.reshape(part, ofRank(part.shape, rank)), name)
  }
  return {
    ...x,
    value,
    scale: moved("scale"),
    zeroPoint: moved("zeroPoint"),
    bitWidth: moved("bitWidth"),
    grouped: undefined
  }
}

// ---- reshaping ----------------------------------------------------------------------------------------------

/** Axes of one shape and the axes of another that hold the same elements. */
interface Block {
  readonly from: Shape
  readonly to: Shape
}

const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1)

/** The smallest blocks of two shapes with equally many elements. */
const blocksOf = (from: Shape, to: Shape): ReadonlyArray<Block> => {
  const next = (i: number, j: number, rows: number, columns: number): readonly [number, number] => {
    const [a, b] = [sizeOf(from.slice(i, rows)), sizeOf(to.slice(j, columns))]
    if (a === b) return [rows, columns]
    return a < b ? next(i, j, rows + 1, columns) : next(i, j, rows, columns + 1)
  }
  const blocks = (i: number, j: number): ReadonlyArray<Block> => {
    if (i >= from.length || j >= to.length)
      return i >= from.length && j >= to.length ? [] : [{ from: from.slice(i), to: to.slice(j) }]
    const [rows, columns] = next(i, j, i + 1, j + 1)
    return [{ from: from.slice(i, rows), to: to.slice(j, columns) }, ...blocks(rows, columns)]
  }
  return blocks(0, 0)
}

const ones = (shape: Shape): Shape => shape.map(() => 1)

/** A part of a value of the shape `from` for the same value in the shape `to`: no larger than it must be. */
export const reshaped = (part: tf.Tensor, from: Shape, to: Shape): tf.Tensor => {
  if (sizeOf(from) === 0) return tf.reshape(spread(part, from), [...to])
  const walk = (blocks: ReadonlyArray<Block>, axis: number): ReadonlyArray<readonly [full: Shape, target: Shape]> => {
    const [block, ...rest] = blocks
    if (block === undefined) return []
    const mine = part.shape.slice(axis, axis + block.from.length)
    const constant = mine.every((size) => size === 1)
    return [
      constant ? [mine, ones(block.to)] : [block.from, block.to],
      ...walk(rest, axis + block.from.length)
    ] as const
  }
  const found = walk(blocksOf(from, to), 0)
  return tf.reshape(
    spread(
      part,
      found.flatMap(([full]) => full)
    ),
    found.flatMap(([, target]) => target)
  )
}
