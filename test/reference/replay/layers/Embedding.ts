/**
 * Embeddings.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Embedding from "../../../../src/nn/Embedding.ts"
import type * as Layer from "../../../../src/nn/Layer.ts"
import type { Case, Outcome } from "../../Case.ts"
import { tensorOf } from "../Core.ts"
import * as Answer from "./Answer.ts"
import * as Layout from "./Layout.ts"
import { type Measuring, measured, outcome } from "./Measured.ts"
import { optionsOf } from "./Options.ts"

export const replay = (testCase: Case): Promise<Outcome> => {
  const { config, inputs, outputs } = testCase
  const { num_embeddings: numEmbeddings, embedding_dim: embeddingDim, padding_idx: paddingIndex } = config.args
  const size = { numEmbeddings, embeddingDim, ...(paddingIndex !== undefined && { paddingIndex }) }
  const indices = tf.cast(tensorOf(inputs.index), "int32")
  const measuring: Measuring<tf.Tensor> = {
    layer: Embedding.quantEmbedding({ ...(optionsOf(testCase, ["weight"]) as any), ...size }) as any,
    parameters: { weight: tensorOf(inputs.weight) },
    calib: [],
    x: indices,
    training: config.mode === "train",
    variables: {},
    withVariables: () => indices,
    losses: (y) => [[QuantTensor.dequantized(y as Layer.Value), tensorOf(inputs.upstream)]],
    layouts: {},
    expected: (y) => [["out", outputs.out, Answer.answerOf(y as Layer.Value, Layout.asItIs)]]
  }
  return outcome(testCase, measured(testCase, measuring))
}
