/**
 * What a quant tensor is, how it is made, and whose its tensors are.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `./TensorQuantizer.ts`. Laws: test/core/QuantTensorShape.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import type { FloatFormat, Grouped, Quantized } from "./TensorQuantizer.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** A de-quantized value with its format. */
export interface QuantTensor {
  readonly _tag: "QuantTensor"
  /** `(int - zeroPoint) * scale`, or `minifloat * scale` */
  readonly value: tf.Tensor
  readonly scale: tf.Tensor
  readonly zeroPoint: tf.Tensor
  readonly bitWidth: tf.Tensor
  readonly signed: boolean
  readonly training: boolean
  /** present: the value is made of minifloats of this format, not of integers */
  readonly float?: FloatFormat | undefined
  /** present: scales and zero-points are those of groups, which are kept apart here as well */
  readonly grouped?: Grouped | undefined
  /** who made it, for messages: the path of a quantizer, or what an operation was done to */
  readonly origin?: string | undefined
}

/** Quantized, or plain. */
export type Value = tf.Tensor | QuantTensor
/** What arithmetic takes. */
export type Operand = Value | number

// ---- constructors -------------------------------------------------------------------------------------------

/** A quant tensor of these parts, which are taken as they are: `checked` says whether they fit. */
export const make = (fields: Omit<QuantTensor, "_tag">): QuantTensor => ({ _tag: "QuantTensor", ...fields })

/** What a quantizer answered, with what it says of itself. */
export const fromQuantized = (
  { value, scale, zeroPoint, bitWidth, grouped }: Quantized,
  about: Pick<QuantTensor, "signed" | "training" | "float" | "origin">
): QuantTensor => make({ value, scale, zeroPoint, bitWidth, grouped, ...about })

/** The format of integers in plain numbers. */
export interface IntegerFormat extends Pick<QuantTensor, "signed" | "training" | "origin"> {
  readonly scale: number
  readonly zeroPoint: number
  readonly bitWidth: number
}

/**
 * Integers with one scale, from a value that lies on their grid and numbers, which become scalars. The caller owns all tensors of the
 * answer, and the value as before: disposing one of them leaves the other.
 */
export const fromNumbers = (value: tf.Tensor, { scale, zeroPoint, bitWidth, ...about }: IntegerFormat): QuantTensor =>
  make({
    value: same(value),
    scale: tf.scalar(scale),
    zeroPoint: tf.scalar(zeroPoint),
    bitWidth: tf.scalar(bitWidth),
    ...about
  })

/** Whether something is a quant tensor. */
export const isQuantTensor = (u: unknown): u is QuantTensor =>
  typeof u === "object" && u !== null && "_tag" in u && u._tag === "QuantTensor"

/** Whether it is made of integers that are not in groups: what arithmetic has rules for. */
export const isIntegral = (x: Operand): x is QuantTensor =>
  isQuantTensor(x) && x.float === undefined && x.grouped === undefined

// ---- tensors ------------------------------------------------------------------------------------------------

/** The value of a quant tensor, or the plain tensor itself. */
export const dequantized = (x: Value): tf.Tensor => (isQuantTensor(x) ? x.value : x)

/** A function of plain tensors for quantized ones too, which lose their format: for whatever has no rule of its own. */
export const dequantizing =
  <A>(f: (...values: ReadonlyArray<tf.Tensor>) => A): ((...values: ReadonlyArray<Value>) => A) =>
  (...values) =>
    f(...values.map(dequantized))

/** The shape of the value. */
export const shapeOf = (x: Value): ReadonlyArray<number> => dequantized(x).shape

/** The tensors of a quant tensor, or the plain tensor itself. */
export const tensorsOf = (x: Value): ReadonlyArray<tf.Tensor> => {
  if (!isQuantTensor(x)) return [x]
  const { value, scale, zeroPoint, bitWidth, grouped } = x
  const groups = grouped === undefined ? [] : [grouped.value, grouped.scale, grouped.zeroPoint]
  return [value, scale, zeroPoint, bitWidth, ...groups]
}

/** The same with other tensors. */
export const map = (self: QuantTensor, f: (x: tf.Tensor) => tf.Tensor): QuantTensor => {
  const { value, scale, zeroPoint, bitWidth, grouped } = self
  return {
    ...self,
    value: f(value),
    scale: f(scale),
    zeroPoint: f(zeroPoint),
    bitWidth: f(bitWidth),
    grouped: grouped && {
      ...grouped,
      value: f(grouped.value),
      scale: f(grouped.scale),
      zeroPoint: f(grouped.zeroPoint)
    }
  }
}

/** Disposes all tensors of a quant tensor, or the plain tensor. */
export const dispose = (x: Value): void => {
  for (const tensor of tensorsOf(x)) tensor.dispose()
}

// ---- ownership ----------------------------------------------------------------------------------------------

/** Another tensor with the same elements, which are not copied. */
export const same = (x: tf.Tensor): tf.Tensor => tf.reshape(x, x.shape)

/** What `f` answers; what it makes besides is disposed. It must not answer a tensor that was there before. */
export const owned = <V extends Value | ReadonlyArray<Value>>(f: () => V): V =>
  tf.tidy(() => f() as unknown as tf.TensorContainer) as unknown as V

/** The same quant tensor with tensors of its own: disposing one leaves the other. */
export const shared = <V extends Value>(x: V): V => (isQuantTensor(x) ? map(x, same) : same(x as tf.Tensor)) as V

/** A scale, zero-point or width for a value of so many axes: one with a single element may have no more of them. */
export const beside = (part: tf.Tensor, rank: number): tf.Tensor =>
  part.size === 1 && part.rank > rank ? tf.reshape(part, []) : same(part)

/** The format of integers around another value, without groups: scale, zero-point and width are tensors of its own. */
export const around = (x: QuantTensor, value: tf.Tensor): QuantTensor => ({
  ...x,
  value,
  scale: beside(x.scale, value.rank),
  zeroPoint: beside(x.zeroPoint, value.rank),
  bitWidth: beside(x.bitWidth, value.rank),
  grouped: undefined
})

/**
 * The same format with another value, which is taken as it is: `isValid` tells whether it lies on the grid. What was in groups is
 * so no longer: scales and zero-points are those of the elements.
 */
export const withValue = (self: QuantTensor, value: tf.Tensor): QuantTensor => owned(() => around(self, same(value)))

/** The same without a gradient path. */
export const detached = <V extends Value>(x: V): V =>
  (isQuantTensor(x) ? map(x, Gradient.stopped) : Gradient.stopped(x as tf.Tensor)) as V

// ---- names --------------------------------------------------------------------------------------------------

/** Which operation made a value of which others, while that is short enough to be read. */
export const madeOf = (operation: string, ...parts: ReadonlyArray<Operand>): string | undefined => {
  const names = parts.flatMap((x) => (isQuantTensor(x) && x.origin !== undefined ? [x.origin] : []))
  if (names.length === 0) return undefined
  const text = `${operation}(${names.join(", ")})`
  return text.length <= 80 ? text : `${operation}(…)`
}
