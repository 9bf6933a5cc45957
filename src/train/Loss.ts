/**
 * Losses.
 *
 * Room: train (level 5). Imports: tfjs.
 */
import * as tf from "@tensorflow/tfjs-core"

/** Mean over the batch of `-log softmax(logits)[label]`; `logits [n, classes]`, `labels [n]` as int32. */
export const crossEntropy = (logits: tf.Tensor, labels: tf.Tensor1D): tf.Tensor => {
  const shifted = tf.sub(logits, tf.max(logits, 1, true))
  const logSums = tf.log(tf.sum(tf.exp(shifted), 1))
  const chosen = tf.sum(tf.mul(shifted, tf.cast(tf.oneHot(labels, logits.shape[1] as number), "float32")), 1)
  return tf.mean(tf.sub(logSums, chosen))
}
