/**
 * Element by element in JavaScript: the same bits on every backend, for what a backend computes inexactly or not at all.
 *
 * Room: tensor (level 0). Imports: tfjs. Laws: test/tensor/Host.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"

/** The elements of a tensor as float32; not to be written to, they may be the tensor's own. */
export const floats = (x: tf.Tensor): Float32Array => {
  const data = x.dataSync()
  return data instanceof Float32Array ? data : Float32Array.from(data)
}

/**
 * `f` fills the elements of the answer from those of `x`: one loop over arrays of one kind, which engines compile well. Faster on
 * WASM than a chain of its comparisons and selections.
 */
export const transform = (x: tf.Tensor, f: (from: Float32Array, to: Float32Array) => void): tf.Tensor => {
  const from = floats(x)
  const to = new Float32Array(from.length)
  f(from, to)
  return tf.tensor(to, x.shape, "float32")
}

/** The same for two tensors of one shape. */
export const zip = (
  x: tf.Tensor,
  y: tf.Tensor,
  f: (x: Float32Array, y: Float32Array, to: Float32Array) => void
): tf.Tensor => {
  const other = floats(y)
  return transform(x, (from, to) => f(from, other, to))
}

/** `f` of every element, rounded to float32 once. */
export const map = (x: tf.Tensor, f: (x: number) => number): tf.Tensor =>
  transform(x, (from, to) => {
    for (let i = 0; i < from.length; i++) to[i] = f(from[i] as number)
  })
