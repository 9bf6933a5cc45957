import * as tf from "@tensorflow/tfjs-core"
import { Attention, Layer, QuantTensor } from "breve"
import { Effect } from "effect"

/** A sequence of three positions that attends to itself, with two heads: outputs, and the weights, which add up to 1. */
export const example = Effect.gen(function* () {
  const attention = yield* Attention.quantMultiheadAttention({ embedDim: 4, numHeads: 2, batchFirst: true, seed: 1 })
  const x = tf.randomNormal([1, 3, 4], 0, 1, "float32", 1)
  const { output, weights } = yield* Layer.forward(attention, x, Layer.training)
  const answer = { output: QuantTensor.shapeOf(output), weights: QuantTensor.shapeOf(weights) }
  tf.dispose([x, ...QuantTensor.tensorsOf(output), ...QuantTensor.tensorsOf(weights)])
  return answer
})

export const shows = { output: [1, 3, 4], weights: [1, 3, 3] }
