/**
 * Quant tensors put together: concatenation, stacking, padding.
 *
 * Room: core (level 2). Imports: tfjs, effect's `Result`, `tensor`, the family of `./QuantTensor.ts`.
 * Laws: test/core/QuantTensorJoin.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Result } from "effect"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import { FormatMismatch, type ScaleMismatch } from "../tensor/QuantTensorErrors.ts"
import * as Grid from "./QuantGrid.ts"
import * as Parts from "./QuantParts.ts"
import * as Scale from "./QuantScale.ts"
import { expandDims } from "./QuantShape.ts"
import {
  dequantized,
  dispose,
  isIntegral,
  isQuantTensor,
  madeOf,
  owned,
  type QuantTensor,
  same,
  shapeOf,
  shared,
  type Value
} from "./QuantValue.ts"

type Shape = ReadonlyArray<number>
/** What can be wrong with values that are put side by side. */
export type JoinError = ScaleMismatch | FormatMismatch | ShapeMismatch

// ---- what must agree ----------------------------------------------------------------------------------------

/** Its part with the rank of the value. */
const ranked = (x: QuantTensor, name: "scale" | "zeroPoint" | "bitWidth"): tf.Tensor =>
  tf.reshape(x[name], Parts.ofRank(x[name].shape, x.value.rank))

/** Whether a part has a value for each place of an axis, which can be put side by side with others. */
const varies = (x: QuantTensor, name: "scale" | "zeroPoint" | "bitWidth", axis: number): boolean =>
  Parts.ofRank(x[name].shape, x.value.rank)[axis] !== 1

const formatOf = ({ float }: QuantTensor): string => JSON.stringify(float ?? "integers")

/** What keeps values from standing side by side in one quant tensor. */
const disagreement = (
  operation: string,
  all: ReadonlyArray<QuantTensor>,
  axis: number
): ScaleMismatch | FormatMismatch | undefined => {
  const [first] = all as readonly [QuantTensor, ...ReadonlyArray<QuantTensor>]
  const differ = (
    property: FormatMismatch["property"],
    has: (x: QuantTensor) => string,
    agree: (x: QuantTensor) => boolean
  ): FormatMismatch | undefined =>
    all.every(agree) ? undefined : new FormatMismatch({ operation, property, sides: Scale.sidesOf(all, has) })
  const along = (name: "scale" | "zeroPoint" | "bitWidth"): boolean => all.some((x) => varies(x, name, axis))
  const number = (name: "zeroPoint" | "bitWidth") => (x: QuantTensor) => Scale.shortened(x[name])
  const agree = (name: "zeroPoint" | "bitWidth") => (x: QuantTensor) => along(name) || Scale.alike(first[name], x[name])
  return (
    differ(
      "kind",
      (x) => (x.float === undefined ? "integers" : "minifloats"),
      (x) => (x.float === undefined) === (first.float === undefined)
    ) ??
    differ("minifloat format", formatOf, (x) => formatOf(x) === formatOf(first)) ??
    (along("scale") ? undefined : Scale.scaleMismatch(operation, ...all)) ??
    differ("zero-point", number("zeroPoint"), agree("zeroPoint")) ??
    differ("bit width", number("bitWidth"), agree("bitWidth")) ??
    differ(
      "sign",
      (x) => (x.signed ? "signed values" : "unsigned values"),
      (x) => x.signed === first.signed
    )
  )
}

/** Their parts side by side where one of them has a value for each place of the axis; else the common one. */
const joined = (all: ReadonlyArray<QuantTensor>, name: "scale" | "zeroPoint" | "bitWidth", axis: number): tf.Tensor => {
  const [first] = all as readonly [QuantTensor, ...ReadonlyArray<QuantTensor>]
  if (!all.some((x) => varies(x, name, axis))) return same(first[name])
  const others = all
    .map((x) => Parts.ofRank(x[name].shape, x.value.rank))
    .reduce((a, b) => a.map((size, i) => Math.max(size, b[i] as number)))
  const parts = all.map((x) =>
    Parts.spread(
      ranked(x, name),
      others.map((size, i) => (i === axis ? (x.value.shape[i] as number) : size))
    )
  )
  return tf.concat(parts, axis)
}

// ---- concatenation ------------------------------------------------------------------------------------------

const misfit = (what: string, all: ReadonlyArray<Value>, axis: number | undefined): ShapeMismatch | undefined => {
  const [first = []] = all.map(shapeOf)
  const fits = (shape: Shape): boolean =>
    shape.length === first.length && shape.every((size, i) => i === axis || size === first[i])
  const odd = all.map(shapeOf).find((shape) => !fits(shape))
  if (all.length === 0 || (axis !== undefined && !(axis >= 0 && axis < first.length)))
    return new ShapeMismatch({ what, expected: "at least one value with that axis", actual: first })
  return (
    odd &&
    new ShapeMismatch({ what, expected: `[${first.map((n, i) => (i === axis ? "any" : n)).join(", ")}]`, actual: odd })
  )
}

/**
 * Values side by side along an axis: integers or minifloats of one format, with the scale of the first. Scales per channel of that
 * axis are put side by side themselves. With plain tensors or groups among them, a plain tensor; a single value as it is.
 *
 * - formula:  `y = [x_0, x_1, …]`
 * - shapes:   `x_i [...d, n_i, ...e] -> y [...d, Σ n_i, ...e]`
 * - gradient: `dx_i` = the part of `dy` at its place; `dscale` to the first scale, or to each one's own place
 * - errors:   `ScaleMismatch`, `FormatMismatch` where formats differ, `ShapeMismatch`
 * - source:   Brevitas, quant_tensor/int_torch_handler.py (there different scales are averaged in training)
 *
 * @category joining
 * @since 0.3.0
 */
export const concat = (values: ReadonlyArray<Value>, axis = 0): Result.Result<Value, JoinError> =>
  joinedAs("concat", values, axis)

const joinedAs = (operation: string, values: ReadonlyArray<Value>, axis: number): Result.Result<Value, JoinError> => {
  const along = axis < 0 ? axis + (values[0] === undefined ? 0 : shapeOf(values[0]).length) : axis
  const wrong = misfit(operation, values, along)
  if (wrong !== undefined) return Result.fail(wrong)
  const [only, ...more] = values
  if (only !== undefined && more.length === 0) return Result.succeed(shared(only))
  const value = (): tf.Tensor => tf.concat(values.map(dequantized), along)
  const quantized = values.filter(isQuantTensor).filter(({ grouped }) => grouped === undefined)
  const [first] = quantized
  if (first === undefined || quantized.length < values.length) return Result.succeed(owned(value))
  const mismatch = disagreement(operation, quantized, along)
  if (mismatch !== undefined) return Result.fail(mismatch)
  return Result.succeed(
    owned(() => ({
      ...first,
      value: value(),
      scale: joined(quantized, "scale", along),
      zeroPoint: joined(quantized, "zeroPoint", along),
      bitWidth: joined(quantized, "bitWidth", along),
      training: quantized.some(({ training }) => training),
      origin: madeOf(operation, ...quantized)
    }))
  )
}

/**
 * Values of one shape side by side along a new axis, by the rules of `concat`.
 *
 * - errors: as `concat`; `ShapeMismatch` also for an axis beyond those of the answer
 */
export const stack = (values: ReadonlyArray<Value>, axis = 0): Result.Result<Value, JoinError> => {
  const wrong = misfit("stack", values, undefined)
  if (wrong !== undefined) return Result.fail(wrong)
  const longer = Result.all(values.map((x) => expandDims(x, axis)))
  if (Result.isFailure(longer)) return Result.fail(longer.failure)
  const rank = shapeOf(values[0] as Value).length + 1
  const answer = joinedAs("stack", longer.success, axis < 0 ? axis + rank : axis)
  for (const x of longer.success) dispose(x)
  return answer
}

// ---- padding ------------------------------------------------------------------------------------------------

/** Numbers of zeros before and after, for each axis. */
export type Padding = ReadonlyArray<readonly [before: number, after: number]>

/** What a part has for the zeros that are added, so that they are the integer 0 of any format. */
const padded = { scale: 1, zeroPoint: 0, bitWidth: 2 } as const

/**
 * Zeros around a tensor. Where zero is no value of the format (a zero-point between integers, or beyond the range), the zeros have
 * a zero-point of their own; binary values and groups give a plain tensor.
 *
 * - formula:  `y = x` inside, 0 outside
 * - shapes:   `x [...d] -> y [...d + before + after]`
 * - gradient: `dx = dy` inside
 * - errors:   `ShapeMismatch` where there is not one pair of whole numbers, 0 or more, for each axis
 * - source:   Brevitas, quant_tensor/torch_handler.py
 *
 * @category joining
 * @since 0.3.0
 */
export const pad = (x: Value, padding: Padding): Result.Result<Value, ShapeMismatch> => {
  const shape = shapeOf(x)
  const whole = padding.length === shape.length && padding.flat().every((n) => Number.isInteger(n) && n >= 0)
  if (!whole)
    return Result.fail(
      new ShapeMismatch({ what: "pad", expected: `one with ${padding.length} axes, and whole paddings`, actual: shape })
    )
  const pairs = padding.map(([before, after]): [number, number] => [before, after])
  return Result.succeed(
    owned(() => {
      const value = tf.pad(dequantized(x), pairs)
      if (!isQuantTensor(x) || x.grouped !== undefined) return value
      const around = (part: tf.Tensor, name: keyof typeof padded): tf.Tensor =>
        tf.pad(
          part,
          pairs.map((pair, i) => (part.shape[i] === 1 ? [0, 0] : pair)),
          padded[name]
        )
      if (Grid.contains(x, 0)) return Parts.carried(x, value, around)
      if (!isIntegral(x) || Grid.isBinary(x)) return value
      const zeroPoint = around(Parts.spread(ranked(x, "zeroPoint"), shape), "zeroPoint")
      return { ...Parts.carried(x, value, around), zeroPoint }
    })
  )
}
