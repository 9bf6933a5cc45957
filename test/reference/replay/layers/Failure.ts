/**
 * What fails, and when: at the building of a layer, or when it is called.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Exit, type Scope } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Activation from "../../../../src/nn/Activation.ts"
import * as Attention from "../../../../src/nn/Attention.ts"
import * as Elementwise from "../../../../src/nn/Elementwise.ts"
import * as Embedding from "../../../../src/nn/Embedding.ts"
import * as Layer from "../../../../src/nn/Layer.ts"
import * as Linear from "../../../../src/nn/Linear.ts"
import * as Recurrent from "../../../../src/nn/Recurrent.ts"
import { type Case, deviation, failed, type Outcome, passed, unsupported } from "../../Case.ts"
import * as Deviations from "../../Deviations.ts"
import { optionsOf } from "./Options.ts"

type Any = Layer.Layer<any, Layer.Values>
interface Scene {
  readonly build: (testCase: Case) => Effect.Effect<Any, unknown, Scope.Scope>
  readonly input: () => any
}

const rows = (): tf.Tensor =>
  tf.tensor([
    [1, -2, 3],
    [0.5, 1, -1]
  ])
const quantized = (scale: number): QuantTensor.QuantTensor =>
  QuantTensor.make({
    value: tf.mul(tf.tensor([[1, 2, 3]]), scale),
    scale: tf.scalar(scale),
    zeroPoint: tf.scalar(0),
    bitWidth: tf.scalar(8),
    signed: true,
    training: false
  })

const linear = (testCase: Case): Effect.Effect<Any, unknown, Scope.Scope> =>
  Linear.quantLinear({
    ...(optionsOf(testCase, ["weight", "bias", "input"]) as any),
    inFeatures: 3,
    outFeatures: 2
  })

/** What a case builds, by its layer. */
const scenes: Readonly<Record<string, Scene>> = {
  QuantLinear: {
    // something that is no declaration at all does not even compile; here the type is taken away
    build: (testCase) =>
      testCase.config.weight_quant === undefined
        ? linear(testCase)
        : Effect.suspend(() =>
            Linear.quantLinear({ inFeatures: 3, outFeatures: 2, weightQuant: testCase.config.weight_quant } as any)
          ),
    input: rows
  },
  QuantReLU: { build: (testCase) => Activation.quantReLU(optionsOf(testCase, ["act"]) as any), input: rows },
  QuantHardTanh: {
    build: (testCase) => Activation.quantIdentity(optionsOf(testCase, ["act"]) as any),
    input: rows
  },
  QuantEmbedding: {
    build: (testCase) =>
      Embedding.quantEmbedding({ ...(optionsOf(testCase, ["weight"]) as any), numEmbeddings: 4, embeddingDim: 2 }),
    input: () => tf.tensor1d([0, 1], "int32")
  },
  QuantEltwiseAdd: {
    build: () => Elementwise.quantEltwiseAdd({ inputQuant: null, outputQuant: null, returnQuantTensor: true }),
    input: () => [quantized(0.05), quantized(0.07)]
  },
  QuantRNN: {
    build: () => Recurrent.quantRnn({ inputSize: 3, hiddenSize: 2, ioQuant: null, returnQuantTensor: true }),
    input: () => tf.zeros([1, 2, 3])
  },
  QuantLSTM: {
    build: () => Recurrent.quantLstm({ inputSize: 3, hiddenSize: 2, sharedInputHiddenWeights: true }),
    input: () => tf.zeros([1, 2, 3])
  },
  QuantMultiheadAttention: {
    build: () => Attention.quantMultiheadAttention({ embedDim: 4, numHeads: 2, packedInProj: true }),
    input: () => ({ query: tf.ones([1, 2, 4]), key: tf.ones([1, 3, 4]), value: tf.ones([1, 3, 4]) })
  }
}

const stageOf = (written: unknown): "ok" | "fails" | "not reached" =>
  written === undefined ? "not reached" : written === "ok" ? "ok" : "fails"

export const replay = async (testCase: Case): Promise<Outcome> => {
  const scene = scenes[testCase.config.layer]
  if (scene === undefined) return unsupported(`nothing replays errors of ${testCase.config.layer}`)
  const seen = await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const built = yield* Effect.exit(scene.build(testCase))
        if (Exit.isFailure(built)) return { build: "fails", forward: "not reached" }
        const called = yield* Effect.exit(Layer.forward(built.value, scene.input()))
        if (Exit.isSuccess(called)) tf.dispose([...Layer.tensorsIn(called.value)])
        return { build: "ok", forward: Exit.isFailure(called) ? "fails" : "ok" }
      })
    )
  )
  const expected = { build: stageOf(testCase.outputs.build), forward: stageOf(testCase.outputs.forward) }
  if (JSON.stringify(seen) === JSON.stringify(expected)) return passed
  const rule = Deviations.explaining(testCase, testCase.outputs, { ...seen, differing: ["stage"] })
  return rule === undefined
    ? failed(`expected ${JSON.stringify(expected)}, saw ${JSON.stringify(seen)}`)
    : deviation(rule.id)
}
