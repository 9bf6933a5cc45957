/**
 * Whether tensors are finite, asked cheaply.
 *
 * Room: train (level 5). Imports: tfjs. Laws: test/train/Trainer.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"

/** Whether all elements are finite: reads the tensor. */
export const all = (x: tf.Tensor): boolean => x.dtype !== "float32" || x.dataSync().every(Number.isFinite)

/**
 * A scalar that is finite if all elements are, made in one pass where the tensor lies: the largest magnitude, or on backends
 * without a kernel for it the sum (which may also overflow by itself).
 */
export const witness = (x: tf.Tensor): tf.Tensor =>
  tf.getKernel("BreveAbsMax", tf.getBackend()) === undefined
    ? tf.sum(x)
    : (tf.engine().runKernel("BreveAbsMax", { x }, {}) as tf.Tensor)
