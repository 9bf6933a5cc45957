/**
 * Element by element in JavaScript: the same bits on every backend, for what a backend computes inexactly or not at all.
 *
 * Room: tensor (level 0). Imports: tfjs. Laws: test/tensor/Host.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"

/** `f` of every element, rounded to float32 once. */
export const map = (x: tf.Tensor, f: (x: number) => number): tf.Tensor => {
  const from = x.dataSync()
  const to = new Float32Array(from.length)
  for (let i = 0; i < from.length; i++) to[i] = f(from[i] as number)
  return tf.tensor(to, x.shape, "float32")
}
