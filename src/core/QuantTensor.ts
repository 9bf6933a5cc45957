/**
 * A quantized tensor: its value with the scale, zero-point, width and sign that it is made of.
 *
 * Room: core (level 2). Imports: tfjs.
 */
import * as tf from "@tensorflow/tfjs-core"

/** A de-quantized value with its format. */
export interface QuantTensor {
  readonly _tag: "QuantTensor"
  /** `(int - zeroPoint) * scale` */
  readonly value: tf.Tensor
  readonly scale: tf.Tensor
  readonly zeroPoint: tf.Tensor
  readonly bitWidth: tf.Tensor
  readonly signed: boolean
  readonly training: boolean
}

export const make = (fields: Omit<QuantTensor, "_tag">): QuantTensor => ({ _tag: "QuantTensor", ...fields })
export const isQuantTensor = (u: unknown): u is QuantTensor =>
  typeof u === "object" && u !== null && "_tag" in u && u._tag === "QuantTensor"

/** The value of a quant tensor, or the plain tensor itself. */
export const dequantized = (x: QuantTensor | tf.Tensor): tf.Tensor => (isQuantTensor(x) ? x.value : x)

/** The tensors of a quant tensor, or the plain tensor itself. */
export const tensorsOf = (x: QuantTensor | tf.Tensor): ReadonlyArray<tf.Tensor> =>
  isQuantTensor(x) ? [x.value, x.scale, x.zeroPoint, x.bitWidth] : [x]

const exact = (self: QuantTensor): tf.Tensor => tf.add(tf.div(self.value, self.scale), self.zeroPoint)

/** The integers: `round(value / scale + zeroPoint)`. */
export const int = (self: QuantTensor): tf.Tensor => tf.tidy(() => tf.cast(tf.round(exact(self)), "int32"))

/** Whether the value lies on the grid of its format: whole numbers (to 1e-2 steps) within the range of its width and sign. */
export const isValid = (self: QuantTensor): boolean =>
  tf.tidy(() => {
    const steps = exact(self)
    const whole = tf.round(steps)
    const onGrid = tf.all(tf.lessEqual(tf.abs(tf.sub(steps, whole)), 1e-2))
    const bits = self.bitWidth.dataSync()[0] as number
    const low = self.signed ? -(2 ** (bits - 1)) : 0
    const high = self.signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1
    const inRange =
      bits < 2
        ? tf.all(tf.equal(tf.abs(whole), 1))
        : tf.all(tf.logicalAnd(tf.greaterEqual(whole, low), tf.lessEqual(whole, high)))
    return onGrid.dataSync()[0] === 1 && inRange.dataSync()[0] === 1
  })
