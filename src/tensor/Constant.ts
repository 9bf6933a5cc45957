/**
 * Scalars whose number is known without asking the backend: bit-widths and thresholds that never change, so that what follows from
 * them is computed once, as numbers, and not by operations on tensors of one element.
 *
 * Room: tensor (level 0). Imports: tfjs. Laws: test/tensor/Constant.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"

const numbers = new WeakMap<tf.Tensor, number>()

/** A new scalar, which remembers its number as float32. */
export const scalar = (value: number): tf.Tensor => {
  const made = tf.engine().makeTensor(Float32Array.of(value), [], "float32")
  numbers.set(made, Math.fround(value))
  return made
}

/** The number of a tensor that `scalar` made; `undefined` for every other one. */
export const numberOf = (x: tf.Tensor): number | undefined => numbers.get(x)
