/**
 * The shapes of quant tensors: each value keeps its scale, zero-point and width, wherever it moves. Groups are tied to an axis: they
 * give plain tensors.
 *
 * Room: core (level 2). Imports: tfjs, effect's `Result`, `tensor`, the family of `./QuantTensor.ts`.
 * Laws: test/core/QuantTensorShape.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Result } from "effect"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import * as Parts from "./QuantParts.ts"
import { dequantized, isQuantTensor, owned, shapeOf, type Value } from "./QuantValue.ts"

type Shape = ReadonlyArray<number>
type Part = "scale" | "zeroPoint" | "bitWidth"

/** Moves the value by `f`, and by `g` what belongs to it. */
const moved = (x: Value, f: (value: tf.Tensor) => tf.Tensor, g: (part: tf.Tensor, name: Part) => tf.Tensor): Value =>
  owned(() => {
    const value = f(dequantized(x))
    return isQuantTensor(x) && x.grouped === undefined ? Parts.carried(x, value, g) : value
  })

const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1)
const shown = (shape: Shape): string => `[${shape.join(", ")}]`
const refuse = (what: string, expected: string, x: Value): Result.Result<never, ShapeMismatch> =>
  Result.fail(new ShapeMismatch({ what, expected, actual: shapeOf(x) }))

const isAxis = (axis: number, rank: number): boolean => Number.isInteger(axis) && axis >= -rank && axis < rank
/** An axis counted from the front. */
const forwards = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)

// ---- the same elements in order -----------------------------------------------------------------------------

const complete = (shape: Shape, size: number): Shape | undefined => {
  const known = sizeOf(shape.filter((one) => one !== -1))
  const whole = shape.map((one) => (one === -1 ? (known === 0 ? 0 : size / known) : one))
  const fits = shape.filter((one) => one === -1).length <= 1 && whole.every((one) => Number.isInteger(one) && one >= 0)
  return fits && sizeOf(whole) === size ? whole : undefined
}

const reshapedTo = (x: Value, to: Shape): Value => {
  const from = shapeOf(x)
  return moved(
    x,
    (value) => tf.reshape(value, [...to]),
    (part) => Parts.reshaped(part, from, to)
  )
}

/**
 * The same elements in another shape; one size may be -1. Scales per channel are repeated only where their axis merges with others.
 *
 * - formula:  `y = x`
 * - shapes:   `x [...d] -> y [...shape]`
 * - gradient: `dx = dy`, re-indexed; to the scale the sum over its repetitions
 * - errors:   `ShapeMismatch` where the sizes differ
 * - source:   Brevitas, quant_tensor/torch_handler.py (there the scale keeps its shape, even where it no longer fits)
 *
 * @category shapes
 * @since 0.3.0
 */
export const reshape = (x: Value, shape: Shape): Result.Result<Value, ShapeMismatch> => {
  const to = complete(shape, dequantized(x).size)
  return to === undefined
    ? refuse("reshape", `one that ${shown(shape)} can hold`, x)
    : Result.succeed(reshapedTo(x, to))
}

/** All axes from `start` (by default all but the first, the batch) to `end` as one. */
export const flatten = (x: Value, start = 1, end = -1): Value => {
  const shape = shapeOf(x)
  const [first, last] = [forwards(start, shape.length), forwards(end, shape.length)]
  if (first >= last) return reshapedTo(x, shape)
  return reshapedTo(x, [...shape.slice(0, first), sizeOf(shape.slice(first, last + 1)), ...shape.slice(last + 1)])
}

/**
 * Without the axes of size 1, or without the given ones.
 *
 * - errors: `ShapeMismatch` where a given axis is not there, or of another size
 */
export const squeeze = (x: Value, axes?: ReadonlyArray<number>): Result.Result<Value, ShapeMismatch> => {
  const shape = shapeOf(x)
  const gone = axes?.map((axis) => forwards(axis, shape.length)) ?? shape.flatMap((size, i) => (size === 1 ? [i] : []))
  return gone.every((axis) => shape[axis] === 1)
    ? Result.succeed(
        reshapedTo(
          x,
          shape.filter((_, i) => !gone.includes(i))
        )
      )
    : refuse("squeeze", `one of size 1 at the axes ${shown(axes ?? [])}`, x)
}

/**
 * With another axis of size 1 at `axis`.
 *
 * - errors: `ShapeMismatch` where there are fewer axes than that
 */
export const expandDims = (x: Value, axis = 0): Result.Result<Value, ShapeMismatch> => {
  const shape = shapeOf(x)
  const at = forwards(axis, shape.length + 1)
  return isAxis(axis, shape.length + 1)
    ? Result.succeed(reshapedTo(x, [...shape.slice(0, at), 1, ...shape.slice(at)]))
    : refuse("expandDims", `one of at least ${axis < 0 ? -axis - 1 : axis} axes`, x)
}

// ---- other orders -------------------------------------------------------------------------------------------

/**
 * The axes in another order, by default the reverse one.
 *
 * - formula:  `y[i_p(0), i_p(1), …] = x[i_0, i_1, …]`
 * - shapes:   `x [...d] -> y [...d in the order of permutation]`
 * - gradient: `dx = dy`, re-indexed
 * - errors:   `ShapeMismatch` where `permutation` does not name each axis once
 * - source:   Brevitas, quant_tensor/torch_handler.py
 *
 * @category shapes
 * @since 0.3.0
 */
export const transpose = (x: Value, permutation?: ReadonlyArray<number>): Result.Result<Value, ShapeMismatch> => {
  const { length } = shapeOf(x)
  const order = permutation?.map((axis) => forwards(axis, length)) ?? Array.from({ length }, (_, i) => length - 1 - i)
  const whole = order.length === length && [...order].sort((a, b) => a - b).every((axis, i) => axis === i)
  const turned = (part: tf.Tensor): tf.Tensor => tf.transpose(part, [...order])
  return whole
    ? Result.succeed(moved(x, turned, turned))
    : refuse("transpose", `one with the axes ${shown(permutation ?? [])}`, x)
}

/**
 * The same with two axes exchanged.
 *
 * - errors: `ShapeMismatch` where one of the axes is not there
 */
export const swapAxes = (x: Value, a: number, b: number): Result.Result<Value, ShapeMismatch> => {
  const { length } = shapeOf(x)
  if (!isAxis(a, length) || !isAxis(b, length)) return refuse("swapAxes", `one with the axes ${shown([a, b])}`, x)
  const [first, second] = [forwards(a, length), forwards(b, length)]
  return transpose(
    x,
    Array.from({ length }, (_, i) => (i === first ? second : i === second ? first : i))
  )
}

// ---- some of the elements -----------------------------------------------------------------------------------

const sliced = (x: Value, begin: Shape, size: Shape): Value =>
  moved(
    x,
    (value) => tf.slice(value, [...begin], [...size]),
    (part) => {
      const varies = part.shape.map((one) => one !== 1)
      return tf.slice(
        part,
        begin.map((at, i) => (varies[i] ? at : 0)),
        size.map((one, i) => (varies[i] ? one : 1))
      )
    }
  )

/**
 * A part of a tensor; a size of -1 reaches to the end.
 *
 * - formula:  `y[i_0, …] = x[begin_0 + i_0, …]`
 * - shapes:   `x [...d] -> y [...size]`
 * - gradient: `dx = dy` at its place, else 0
 * - errors:   `ShapeMismatch` where the part lies outside
 * - source:   TensorFlow.js, tf.slice
 *
 * @category shapes
 * @since 0.3.0
 */
export const slice = (x: Value, begin: Shape, size: Shape): Result.Result<Value, ShapeMismatch> => {
  const shape = shapeOf(x)
  const whole = size.map((one, i) => (one === -1 ? (shape[i] ?? 0) - (begin[i] ?? 0) : one))
  const inside =
    begin.length === shape.length &&
    whole.length === shape.length &&
    shape.every((all, i) => {
      const [at, count] = [begin[i] as number, whole[i] as number]
      return Number.isInteger(at) && Number.isInteger(count) && at >= 0 && count >= 0 && at + count <= all
    })
  return inside
    ? Result.succeed(sliced(x, begin, whole))
    : refuse("slice", `one that holds ${shown(size)} from ${shown(begin)} on`, x)
}

/**
 * The part at one place of an axis, without that axis.
 *
 * - errors: `ShapeMismatch` where the axis or the place is not there
 */
export const index = (x: Value, at: number, axis = 0): Result.Result<Value, ShapeMismatch> => {
  const shape = shapeOf(x)
  const along = forwards(axis, shape.length)
  const place = forwards(at, shape[along] ?? 0)
  if (!isAxis(axis, shape.length) || !isAxis(at, shape[along] as number))
    return refuse("index", `one with a place ${at} on axis ${axis}`, x)
  return Result.succeed(
    owned(() => {
      const part = sliced(
        x,
        shape.map((_, i) => (i === along ? place : 0)),
        shape.map((all, i) => (i === along ? 1 : all))
      )
      return reshapedTo(
        part,
        shape.filter((_, i) => i !== along)
      )
    })
  )
}

/**
 * Pieces along an axis: so many equal ones, or of these sizes.
 *
 * - errors: `ShapeMismatch` where the axis is not there, or the sizes do not add up to its own
 */
export const split = (
  x: Value,
  pieces: number | ReadonlyArray<number>,
  axis = 0
): Result.Result<ReadonlyArray<Value>, ShapeMismatch> => {
  const shape = shapeOf(x)
  const along = forwards(axis, shape.length)
  const all = shape[along] ?? 0
  const sizes = typeof pieces === "number" ? Array.from({ length: pieces }, () => all / pieces) : pieces
  const fits =
    isAxis(axis, shape.length) &&
    sizes.every((size) => Number.isInteger(size) && size >= 0) &&
    sizes.reduce((a, b) => a + b, 0) === all
  if (!fits) return refuse("split", `one that falls into ${JSON.stringify(pieces)} pieces along axis ${axis}`, x)
  const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0))
  return Result.succeed(
    sizes.map((size, i) =>
      sliced(
        x,
        shape.map((_, j) => (j === along ? (starts[i] as number) : 0)),
        shape.map((whole, j) => (j === along ? size : whole))
      )
    )
  )
}

/**
 * Pieces along an axis of `ceil(size / count)` each, the last one of what is left.
 *
 * - errors: `ShapeMismatch` where the axis is not there, or the count is not whole and above 0
 */
export const chunk = (x: Value, count: number, axis = 0): Result.Result<ReadonlyArray<Value>, ShapeMismatch> => {
  const shape = shapeOf(x)
  const all = shape[forwards(axis, shape.length)] ?? 0
  const size = Math.max(1, Math.ceil(all / count))
  const pieces = Array.from({ length: Math.ceil(all / size) }, (_, i) => Math.min(size, all - i * size))
  return Number.isInteger(count) && count > 0 ? split(x, pieces, axis) : refuse("chunk", `more than ${count} pieces`, x)
}

// ---- more elements ------------------------------------------------------------------------------------------

/**
 * The same with repetitions of the whole along each axis.
 *
 * - errors: `ShapeMismatch` where there is not one whole number, 0 or more, for each axis
 */
export const tile = (x: Value, repetitions: Shape): Result.Result<Value, ShapeMismatch> =>
  repetitions.length === shapeOf(x).length && repetitions.every((n) => Number.isInteger(n) && n >= 0)
    ? Result.succeed(
        moved(
          x,
          (value) => tf.tile(value, [...repetitions]),
          (part) =>
            tf.tile(
              part,
              repetitions.map((n, i) => (part.shape[i] === 1 ? 1 : n))
            )
        )
      )
    : refuse("tile", `one of ${repetitions.length} axes`, x)
