/**
 * The grid that a quant tensor lies on: its integers or minifloats, and whether it lies there at all.
 *
 * Room: core (level 2). Imports: tfjs, effect's `Result`, `op`, `tensor`, `./QuantValue.ts`. Laws: test/core/QuantTensor.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Result } from "effect"
import * as Minifloat from "../op/Minifloat.ts"
import * as Round from "../op/Round.ts"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"
import { InvalidQuantTensor } from "../tensor/QuantTensorErrors.ts"
import { isQuantTensor, type QuantTensor, shared, type Value } from "./QuantValue.ts"

/** How far from a whole number of steps a value may lie: sums of many products in float32 are not exact. */
const tolerance = 0.2

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

/**
 * The integers of a value, as floats.
 *
 * - formula:  `round(value / scale + zeroPoint)`; of minifloats the integers that stand before their powers of two
 * - shapes:   `value [...d] -> y [...d]`
 * - gradient: straight through the rounding: `dvalue = dy / scale`, `dscale = -Σ dy value / scale^2`
 * - errors:   none; what does not lie on the grid is rounded (`isValid`, `checked`); NaN and infinities stay
 * - source:   Brevitas, quant_tensor/int_quant_tensor.py
 *
 * @category grid
 * @since 0.3.0
 */
export const integers = (self: QuantTensor): tf.Tensor => tf.tidy(() => Round.nearest(inSteps(self).steps))

/** The integers `round(value / scale + zeroPoint)` as int32; of minifloats the integers that stand before their powers of two. */
export const int = (self: QuantTensor): tf.Tensor => tf.tidy(() => tf.cast(tf.round(inSteps(self).steps), "int32"))

/** The minifloats `value / scale`, put on their grid; of integers the integers, as floats. NaN and infinities stay. */
export const minifloat = (self: QuantTensor): tf.Tensor =>
  tf.tidy(() => {
    const { steps, size } = inSteps(self)
    return size === undefined ? tf.round(steps) : tf.mul(tf.round(steps), size)
  })

// ---- validity -----------------------------------------------------------------------------------------------

/** The lowest and the highest integer of a width. */
export interface Bounds {
  readonly low: number
  readonly high: number
}

/** The integers of a width, narrow or not; fewer than two signed bits are -1 and 1. */
export const boundsOf = (bits: number, signed: boolean): Bounds => {
  if (!signed) return { low: 0, high: 2 ** bits - 1 }
  return bits < 2 ? { low: -1, high: 1 } : { low: -(2 ** (bits - 1)), high: 2 ** (bits - 1) - 1 }
}

const inBounds = (whole: Float32Array, { low, high }: Bounds): boolean => whole.every((q) => q >= low && q <= high)

/** Whether whole numbers are integers of a width and sign. One signed bit has two readings: -1 and 1, or -1 and 0 (not 0 alone). */
const inRange = (whole: Float32Array, bits: number, signed: boolean): boolean =>
  signed && bits < 2
    ? whole.every((q) => q === 1 || q === -1) || (inBounds(whole, { low: -1, high: 0 }) && whole.includes(-1))
    : inBounds(whole, boundsOf(bits, signed))

/** What is wrong with a value; nothing is recorded on the tape. */
const flaw = (self: QuantTensor): string | undefined =>
  Gradient.unrecorded(() => {
    const { value, scale, zeroPoint, bitWidth, signed, float } = self
    if (value.size === 0) return undefined
    for (const part of [scale, zeroPoint])
      if (!fitsInto(part.shape, value.shape))
        return `a scale or zero-point of shape [${part.shape}] does not fit a value of shape [${value.shape}]`
    const steps = Host.floats(inSteps(self).steps)
    if (steps.some(Number.isNaN)) return "it has NaN, or a scale of 0"
    const whole = Host.floats(tf.round(inSteps(self).steps))
    const off = steps.findIndex((q, i) => !(Math.abs(q - (whole[i] as number)) < tolerance))
    if (off >= 0) return `element ${off} lies at ${steps[off]} steps, off the grid`
    if (float !== undefined) return undefined
    const bits = Host.floats(bitWidth)[0] as number
    if (inRange(whole, bits, signed)) return undefined
    return `its integers reach from ${least(whole)} to ${-least(whole.map((q) => -q))}, which ${bits} ${signed ? "signed" : "unsigned"} bits do not hold`
  })

const least = (all: Float32Array): number => all.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)

/** Whether a shape broadcasts into another. */
export const fitsInto = (part: ReadonlyArray<number>, whole: ReadonlyArray<number>): boolean =>
  part.length <= whole.length && part.every((size, i) => size === 1 || size === whole[whole.length - part.length + i])

/**
 * Whether the value lies on the grid of its format: whole numbers (to 0.2 steps), and of integers within the range of their
 * width and sign. NaN lies on no grid; an empty tensor is valid.
 */
export const isValid = (self: QuantTensor): boolean => flaw(self) === undefined

/**
 * The same quant tensor (with tensors of its own), or what is wrong with it.
 *
 * - errors: `InvalidQuantTensor`, which names the origin and the reason, where `isValid` is false
 */
export const checked = (self: QuantTensor): Result.Result<QuantTensor, InvalidQuantTensor> => {
  const reason = flaw(self)
  return reason === undefined
    ? Result.succeed(shared(self))
    : Result.fail(new InvalidQuantTensor({ origin: self.origin, reason }))
}

/**
 * The integers as int32 of a value that lies on its grid.
 *
 * - errors: `InvalidQuantTensor` where the value does not lie on its grid
 */
export const checkedInt = (self: QuantTensor): Result.Result<tf.Tensor, InvalidQuantTensor> => {
  const reason = flaw(self)
  return reason === undefined
    ? Result.succeed(int(self))
    : Result.fail(new InvalidQuantTensor({ origin: self.origin, reason }))
}

/** The integers as int32, the nearest ones that the width and sign hold: what an integer device would store. NaN becomes 0. */
export const saturatedInt = (self: QuantTensor): tf.Tensor =>
  tf.tidy(() => {
    if (self.float !== undefined) return int(self)
    const { low, high } = boundsOf(Host.floats(self.bitWidth)[0] as number, self.signed)
    const held = Host.map(inSteps(self).steps, (q) =>
      Number.isNaN(q) ? 0 : Math.min(Math.max(roundedToEven(q), low), high)
    )
    return tf.cast(held, "int32")
  })

const roundedToEven = (q: number): number => {
  const near = Math.round(q)
  return near - q === 0.5 && near % 2 !== 0 ? near - 1 : near
}

// ---- single values ------------------------------------------------------------------------------------------

/** Where a number lies for every scale and zero-point of a format, in steps. */
const stepsOf = ({ scale, zeroPoint }: QuantTensor, x: number): ReadonlyArray<number> =>
  Gradient.unrecorded(() => Array.from(Host.floats(tf.add(tf.div(x, scale), zeroPoint))))

/** Whether a number is a value of the format, whatever the scale and zero-point of an element. */
export const contains = (self: QuantTensor, x: number): boolean => {
  if (self.float !== undefined && x === 0) return true
  if (self.float === undefined && x === 0 && isCentred(self)) return !isBinary(self)
  return Gradient.unrecorded(() => isValid({ ...self, value: tf.mul(tf.onesLike(wider(self)), x), grouped: undefined }))
}

const wider = ({ scale, zeroPoint }: QuantTensor): tf.Tensor => tf.add(scale, zeroPoint)

/** Whether a number lies at or beyond the end of the range, so that clipping there changes nothing. */
export const beyond = (self: QuantTensor, x: number, end: "low" | "high"): boolean => {
  if (x === Number.POSITIVE_INFINITY || x === Number.NEGATIVE_INFINITY) return (end === "high") === x > 0
  if (self.float !== undefined) return false
  const bounds = boundsOf(Host.floats(self.bitWidth)[0] as number, self.signed)
  return stepsOf(self, x).every((q) => (end === "low" ? q <= bounds.low : q >= bounds.high))
}

/** Whether it has the two values -1 and 1 (times its scale), and no 0. */
export const isBinary = ({ bitWidth, signed, float }: QuantTensor): boolean =>
  float === undefined && signed && Host.floats(bitWidth).some((bits) => bits < 2)

/** Whether all zero-points are 0. */
export const isCentred = (self: Value): boolean =>
  !isQuantTensor(self) || Host.floats(self.zeroPoint).every((z) => z === 0)
