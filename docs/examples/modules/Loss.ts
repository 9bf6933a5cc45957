import * as tf from "@tensorflow/tfjs-core"
import { Loss } from "breve"

/** The cross entropy of two samples, plain and with label smoothing. */
export const example = () => {
  const logits = tf.tensor2d([
    [2, 0, 0],
    [0, 3, 0]
  ])
  const labels = tf.tensor1d([0, 1], "int32")
  return [Loss.crossEntropy(logits, labels), Loss.crossEntropy(logits, labels, { labelSmoothing: 0.1 })]
}

export const shows = [0.167234, 0.333901]
