/**
 * A quantized tensor: its value with the scale, zero-point, width and sign, or the minifloat format, that it is made of.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `./TensorQuantizer.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Minifloat from "../op/Minifloat.ts"
import type { FloatFormat, Grouped, Quantized } from "./TensorQuantizer.ts"

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
}

// ---- constructors -------------------------------------------------------------------------------------------

export const make = (fields: Omit<QuantTensor, "_tag">): QuantTensor => ({ _tag: "QuantTensor", ...fields })

/** What a quantizer answered, with what it says of itself. */
export const fromQuantized = (
  { value, scale, zeroPoint, bitWidth, grouped }: Quantized,
  about: Pick<QuantTensor, "signed" | "training" | "float">
): QuantTensor => make({ value, scale, zeroPoint, bitWidth, grouped, ...about })

export const isQuantTensor = (u: unknown): u is QuantTensor =>
  typeof u === "object" && u !== null && "_tag" in u && u._tag === "QuantTensor"

// ---- tensors ------------------------------------------------------------------------------------------------

/** The value of a quant tensor, or the plain tensor itself. */
export const dequantized = (x: QuantTensor | tf.Tensor): tf.Tensor => (isQuantTensor(x) ? x.value : x)

/** The tensors of a quant tensor, or the plain tensor itself. */
export const tensorsOf = (x: QuantTensor | tf.Tensor): ReadonlyArray<tf.Tensor> => {
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
export const dispose = (x: QuantTensor | tf.Tensor): void => {
  for (const tensor of tensorsOf(x)) tensor.dispose()
}

// ---- what the value is made of ------------------------------------------------------------------------------

/** The value in steps of its grid, and how large a step is in units of the scale: whole numbers, if it lies on the grid. */
const inSteps = ({
  value,
  scale,
  zeroPoint,
  float
}: QuantTensor): { steps: tf.Tensor; size: tf.Tensor | undefined } => {
  const scaled = tf.div(value, scale)
  if (float === undefined) return { steps: tf.add(scaled, zeroPoint), size: undefined }
  const size = Minifloat.internalScale(scaled, float.mantissaBitWidth, Minifloat.minExponent(float))
  return { steps: tf.div(scaled, size), size }
}

/** The integers `round(value / scale + zeroPoint)`; of minifloats the integers that stand before their powers of two. */
export const int = (self: QuantTensor): tf.Tensor => tf.tidy(() => tf.cast(tf.round(inSteps(self).steps), "int32"))

/** The minifloats `value / scale`, put on their grid; of integers the integers, as floats. NaN and infinities stay. */
export const minifloat = (self: QuantTensor): tf.Tensor =>
  tf.tidy(() => {
    const { steps, size } = inSteps(self)
    return size === undefined ? tf.round(steps) : tf.mul(tf.round(steps), size)
  })

/** Whether the whole numbers lie within the range of the width and sign. */
const inRange = (whole: tf.Tensor, bits: number, signed: boolean): tf.Tensor => {
  if (bits < 2) return tf.all(tf.equal(tf.abs(whole), 1))
  const low = signed ? -(2 ** (bits - 1)) : 0
  const high = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1
  return tf.all(tf.logicalAnd(tf.greaterEqual(whole, low), tf.lessEqual(whole, high)))
}

/**
 * Whether the value lies on the grid of its format: whole numbers (to 1e-2 steps), and of integers within the range of their
 * width and sign. NaN lies on no grid; an empty tensor is valid.
 */
export const isValid = (self: QuantTensor): boolean =>
  tf.tidy(() => {
    const { steps } = inSteps(self)
    if (steps.size === 0) return true
    const whole = tf.round(steps)
    const onGrid = tf.all(tf.lessEqual(tf.abs(tf.sub(steps, whole)), 1e-2)).dataSync()[0] === 1
    if (!onGrid || self.float !== undefined) return onGrid
    return inRange(whole, self.bitWidth.dataSync()[0] as number, self.signed).dataSync()[0] === 1
  })
