/**
 * Every kind of layer that the library has is exported, or refused by name and with a reason before anything is written. What is
 * exported is what the guide's table says.
 */
import { readdirSync, readFileSync } from "node:fs"
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as IntegerNetwork from "../../src/exchange/IntegerNetwork.ts"
import * as Onnx from "../../src/exchange/Onnx.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Attention from "../../src/nn/Attention.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Dropout from "../../src/nn/Dropout.ts"
import * as Elementwise from "../../src/nn/Elementwise.ts"
import * as Embedding from "../../src/nn/Embedding.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as LayerNorm from "../../src/nn/LayerNorm.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Normalization from "../../src/nn/Normalization.ts"
import * as Pooling from "../../src/nn/Pooling.ts"
import * as Recurrent from "../../src/nn/Recurrent.ts"
import * as ScaledDotProduct from "../../src/nn/ScaledDotProduct.ts"
import * as TensorNorm from "../../src/nn/TensorNorm.ts"
import * as TransposedConvolution from "../../src/nn/TransposedConvolution.ts"
import * as Truncated from "../../src/nn/Truncated.ts"
import * as Upsample from "../../src/nn/Upsample.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import { leakless, ownedValue } from "../nn/Scoped.ts"
import * as Networks from "./Networks.ts"

type Any = any

interface Case {
  readonly shape: ReadonlyArray<number>
  readonly make: Effect.Effect<Layer.Layer<Any, Any>, Any, Scope.Scope> | Layer.Layer<Any, Any>
  /** what calls the layer with the input of the model; default: the input alone */
  readonly call?: (layer: (x: Any) => Any, x: tf.Tensor) => Any
  /** where it can go */
  readonly to: string
}

const everywhere = "qcdq qonnx float integers"
const files = "qcdq qonnx float"
const nowhere = ""
const image = [2, 6, 6, 4]
const rows = [2, 5, 4]
const biasQuant = ScaledInt.Int32Bias
const twice = (layer: (x: Any) => Any, x: tf.Tensor): Any => layer([x, x])
const both = { inChannels: 4, outChannels: 4, biasQuant }
const shared = ScaledInt.Int8ActPerTensorFloat

const cases: Readonly<Record<string, Case>> = {
  QuantLinear: {
    shape: [2, 4],
    make: Linear.quantLinear({ inFeatures: 4, outFeatures: 3, biasQuant }),
    to: everywhere
  },
  QuantConv1d: { shape: rows, make: Convolution.quantConv1d({ ...both, kernelSize: [2] }), to: everywhere },
  QuantConv2d: { shape: image, make: Convolution.quantConv2d({ ...both, kernelSize: [2, 2] }), to: everywhere },
  QuantConv3d: {
    shape: [1, 3, 3, 3, 4],
    make: Convolution.quantConv3d({ ...both, kernelSize: [2, 2, 2] }),
    to: everywhere
  },
  QuantConvTranspose1d: {
    shape: rows,
    make: TransposedConvolution.quantConvTranspose1d({ ...both, kernelSize: [2] }),
    to: files
  },
  QuantConvTranspose2d: {
    shape: image,
    make: TransposedConvolution.quantConvTranspose2d({ ...both, kernelSize: [2, 2] }),
    to: files
  },
  QuantConvTranspose3d: {
    shape: [1, 3, 3, 3, 4],
    make: TransposedConvolution.quantConvTranspose3d({ ...both, kernelSize: [2, 2, 2] }),
    to: files
  },
  QuantIdentity: { shape: image, make: Activation.quantIdentity(), to: everywhere },
  QuantReLU: { shape: image, make: Activation.quantReLU(), to: everywhere },
  QuantHardTanh: { shape: image, make: Activation.quantHardTanh(), to: everywhere },
  QuantSigmoid: { shape: image, make: Activation.quantSigmoid(), to: files },
  QuantTanh: { shape: image, make: Activation.quantTanh(), to: files },
  ReLU: { shape: image, make: Model.relu, to: everywhere },
  Flatten: { shape: image, make: Model.flatten, to: everywhere },
  Identity: {
    shape: image,
    make: Effect.succeed(Model.stateless("Identity", (x) => x, { op: "identity" })),
    to: everywhere
  },
  Dropout: { shape: image, make: Dropout.dropout(), to: everywhere },
  MaxPool2d: { shape: image, make: Pooling.maxPool2d({ size: [2, 2] }), to: everywhere },
  AvgPool2d: { shape: image, make: Pooling.avgPool2d({ size: [2, 2] }), to: everywhere },
  TruncAvgPool2d: { shape: image, make: Truncated.truncAvgPool2d({ kernelSize: [2, 2] }), to: "qonnx float integers" },
  TruncAdaptiveAvgPool2d: {
    shape: image,
    make: Truncated.truncAdaptiveAvgPool2d({ outputSize: [2, 2] }),
    to: nowhere
  },
  QuantAccumulator: {
    shape: image,
    make: Truncated.quantAccumulator({ truncQuant: ScaledInt.TruncTo8bit }),
    to: "qonnx float integers"
  },
  QuantEltwiseAdd: {
    shape: image,
    make: Elementwise.quantEltwiseAdd({ inputQuant: shared }),
    call: twice,
    to: everywhere
  },
  QuantCat: { shape: image, make: Elementwise.quantCat({ inputQuant: shared }), call: twice, to: everywhere },
  QuantScaleBias: { shape: image, make: Normalization.quantScaleBias({ channels: 4, biasQuant }), to: everywhere },
  BatchNorm: { shape: image, make: Normalization.batchNorm({ channels: 4 }), to: files },
  TensorNorm: { shape: image, make: TensorNorm.tensorNorm(), to: files },
  LayerNorm: { shape: rows, make: LayerNorm.layerNorm({ channels: 4 }), to: nowhere },
  RMSNorm: { shape: rows, make: LayerNorm.rmsNorm({ channels: 4 }), to: nowhere },
  QuantUpsampleNearest: { shape: image, make: Upsample.upsampleNearest({ scaleFactor: 2 }), to: nowhere },
  QuantUpsampleBilinear: { shape: image, make: Upsample.upsampleBilinear({ scaleFactor: 2 }), to: nowhere },
  AlignScales: { shape: image, make: Model.alignScales, call: (layer, x) => layer([x, x])[1], to: nowhere },
  QuantEmbedding: {
    shape: [2, 3],
    make: Embedding.quantEmbedding({ numEmbeddings: 5, embeddingDim: 4 }),
    call: (layer) => layer(tf.zeros([2, 3], "int32")),
    to: nowhere
  },
  QuantRNN: {
    shape: rows,
    make: Recurrent.quantRnn({ inputSize: 4, hiddenSize: 3 }),
    call: (layer, x) => Object.values(layer(x) as object)[0],
    to: nowhere
  },
  QuantLSTM: {
    shape: rows,
    make: Recurrent.quantLstm({ inputSize: 4, hiddenSize: 3 }),
    call: (layer, x) => Object.values(layer(x) as object)[0],
    to: nowhere
  },
  QuantMultiheadAttention: {
    shape: rows,
    make: Attention.quantMultiheadAttention({ embedDim: 4, numHeads: 2 }),
    call: (layer, x) => Object.values(layer({ query: x, key: x, value: x }) as object)[0],
    to: nowhere
  },
  QuantScaledDotProductAttention: {
    shape: rows,
    make: ScaledDotProduct.quantScaledDotProductAttention({}),
    call: (layer, x) => layer({ query: x, key: x, value: x }),
    to: nowhere
  }
}

/** The layer after a quantizer of its input, which makes integers of what it does where that has some. */
const modelOf = (one: Case) =>
  Effect.gen(function* () {
    const it = Effect.isEffect(one.make)
      ? yield* one.make as Effect.Effect<Layer.Layer<Any, Any>, never, Scope.Scope>
      : one.make
    const input = yield* Activation.quantIdentity({ returnQuantTensor: true })
    const call = one.call ?? ((layer: (x: Any) => Any, x: tf.Tensor) => layer(x))
    const model = Model.functional({ input, it }, (layer, x: Layer.Value) =>
      call(layer.it, layer.input(x) as tf.Tensor)
    )
    return { kind: it.kind, model: model as Layer.Layer }
  })

/** Words in the source of the layers that look like the name of a kind. */
const kindsInSource = (): ReadonlySet<string> => {
  const folder = new URL("../../src/nn/", import.meta.url)
  const texts = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), "utf8"))
  const words = texts.flatMap((text) => [...text.matchAll(/"([A-Z][A-Za-z0-9]+)"/g)].map(([, word]) => word as string))
  const others = ["InvalidOptions", "Sequential", "Functional"]
  return new Set(words.filter((word) => !others.includes(word)))
}

beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.layer, { local: true }))))

describe("every kind of layer", () => {
  it("is here", () => {
    expect([...kindsInSource()].sort()).toEqual(Object.keys(cases).sort())
  })

  for (const [kind, one] of Object.entries(cases))
    it(`${kind} is exported${one.to === nowhere ? " nowhere" : ` as ${one.to}`}`, () =>
      leakless(
        Effect.gen(function* () {
          const { model, kind: made } = yield* modelOf(one)
          expect(made).toBe(kind)
          for (const seed of [1, 2, 3]) {
            const x = Networks.drawn(seed, one.shape)
            yield* ownedValue(Layer.forward(model, x, Layer.training) as Effect.Effect<Layer.Value, Layer.InputError>)
            x.dispose()
          }
          const options = { inputShape: one.shape, opset: 21 } as const
          const targets = {
            qcdq: Onnx.exportQcdq(model, options),
            qonnx: Onnx.exportQonnx(model, options),
            float: Onnx.exportFloat(model, options),
            integers: IntegerNetwork.of(model, one.shape)
          }
          const done: Array<string> = []
          for (const [target, written] of Object.entries(targets)) {
            const result = yield* Effect.result(written as Effect.Effect<unknown, Error>)
            if (result._tag === "Success") done.push(target)
            else {
              expect(result.failure).toMatchObject({ _tag: "NotExportable", layer: "it", kind })
              expect((result.failure as unknown as { readonly reason: string }).reason.length).toBeGreaterThan(15)
            }
          }
          expect(done.join(" ")).toBe(one.to)
        }) as Effect.Effect<void, never, Scope.Scope>
      ))
})
