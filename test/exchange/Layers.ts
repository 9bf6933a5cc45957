/** One of every kind of layer that the library has, in a model that begins with a quantizer, and what is to come of it. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as IntegerNetwork from "../../src/exchange/IntegerNetwork.ts"
import * as Onnx from "../../src/exchange/Onnx.ts"
import type * as Injector from "../../src/inject/Injector.ts"
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
import * as FixedPoint from "../../src/quant/FixedPoint.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import { ownedValue } from "../nn/Scoped.ts"
import * as Networks from "./Networks.ts"

type Any = any

export interface Case {
  readonly shape: ReadonlyArray<number>
  readonly make: Effect.Effect<Layer.Layer<Any, Any>, Any, Scope.Scope> | Layer.Layer<Any, Any>
  /** what calls the layer with the input of the model; default: the input alone */
  readonly call?: (layer: (x: Any) => Any, x: tf.Tensor) => Any
  /** the quantizer before it; default: 8 bits. A power of two as its scale makes sums exact, and with them ties. */
  readonly input?: Injector.Any
  /** it takes whole numbers below this one, and stands alone */
  readonly indices?: number
  readonly title?: string
  /** where it can go */
  readonly to: string
}

const everywhere = "qcdq qonnx float integers"
const files = "qcdq qonnx float"
export const nowhere = ""
const image = [2, 6, 6, 4]
const rows = [2, 5, 4]
const biasQuant = ScaledInt.Int32Bias
const twice = (layer: (x: Any) => Any, x: tf.Tensor): Any => layer([x, x])
const both = { inChannels: 4, outChannels: 4, biasQuant }
const powerOfTwo = FixedPoint.Int8ActPerTensorFixedPoint
const shared = ScaledInt.Int8ActPerTensorFloat

export const cases: Readonly<Record<string, Case>> = {
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
    to: everywhere
  },
  QuantConvTranspose2d: {
    shape: image,
    make: TransposedConvolution.quantConvTranspose2d({ ...both, kernelSize: [2, 2] }),
    to: everywhere
  },
  QuantConvTranspose3d: {
    shape: [1, 3, 3, 3, 4],
    make: TransposedConvolution.quantConvTranspose3d({ ...both, kernelSize: [2, 2, 2] }),
    to: everywhere
  },
  QuantIdentity: { shape: image, make: Activation.quantIdentity(), to: everywhere },
  QuantReLU: { shape: image, make: Activation.quantReLU(), to: everywhere },
  QuantHardTanh: { shape: image, make: Activation.quantHardTanh(), to: everywhere },
  QuantSigmoid: { shape: image, make: Activation.quantSigmoid(), to: everywhere },
  QuantTanh: { shape: image, make: Activation.quantTanh(), to: everywhere },
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
  TruncAvgPool2d: { shape: image, make: Truncated.truncAvgPool2d({ kernelSize: [2, 2] }), to: everywhere },
  TruncAdaptiveAvgPool2d: {
    shape: image,
    make: Truncated.truncAdaptiveAvgPool2d({ outputSize: [2, 2] }),
    to: everywhere
  },
  "TruncAdaptiveAvgPool2d (uneven parts)": {
    shape: [2, 8, 8, 4],
    // parts of 3 and 4 elements: no average is a tie
    make: Truncated.truncAdaptiveAvgPool2d({ outputSize: [3, 3] }),
    to: files
  },
  QuantAccumulator: {
    shape: image,
    make: Truncated.quantAccumulator({ truncQuant: ScaledInt.TruncTo8bit }),
    to: everywhere
  },
  QuantEltwiseAdd: {
    shape: image,
    make: Elementwise.quantEltwiseAdd({ inputQuant: shared }),
    call: twice,
    to: everywhere
  },
  QuantCat: { shape: image, make: Elementwise.quantCat({ inputQuant: shared }), call: twice, to: everywhere },
  QuantScaleBias: { shape: image, make: Normalization.quantScaleBias({ channels: 4, biasQuant }), to: everywhere },
  BatchNorm: { shape: image, make: Normalization.batchNorm({ channels: 4 }), to: everywhere },
  TensorNorm: { shape: image, make: TensorNorm.tensorNorm(), to: everywhere },
  LayerNorm: { shape: rows, make: LayerNorm.layerNorm({ channels: 4 }), to: files },
  RMSNorm: { shape: rows, make: LayerNorm.rmsNorm({ channels: 4 }), to: files },
  QuantUpsampleNearest: { shape: image, make: Upsample.upsampleNearest({ scaleFactor: 2 }), to: everywhere },
  "QuantUpsampleNearest (uneven)": { shape: image, make: Upsample.upsampleNearest({ size: [10, 7] }), to: everywhere },
  QuantUpsampleBilinear: {
    shape: image,
    make: Upsample.upsampleBilinear({ scaleFactor: 2 }),
    input: powerOfTwo,
    to: everywhere
  },
  "QuantUpsampleBilinear (aligned corners)": {
    shape: image,
    // ninths and sevenths: no value is a tie
    make: Upsample.upsampleBilinear({ size: [10, 8], alignCorners: true }),
    to: everywhere
  },
  AlignScales: { shape: image, make: Model.alignScales, call: (layer, x) => layer([x, x])[1], to: everywhere },
  QuantEmbedding: {
    shape: [2, 3],
    make: Embedding.quantEmbedding({ numEmbeddings: 5, embeddingDim: 4 }),
    indices: 5,
    to: files
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

/** Numbers that a layer takes. */
export const inputOf = ({ shape, indices }: Case, seed: number): tf.Tensor => {
  const x = Networks.drawn(seed, shape)
  if (indices === undefined) return x
  const rows = tf.tensor(
    [...x.dataSync()].map((v) => Math.min(Math.floor(((v + 1) / 2) * indices), indices - 1)),
    [...shape],
    "int32"
  )
  x.dispose()
  return rows
}

/** The layer after a quantizer of its input, which makes integers of what it does where that has some. */
export const modelOf = (one: Case) =>
  Effect.gen(function* () {
    const it = Effect.isEffect(one.make)
      ? yield* one.make as Effect.Effect<Layer.Layer<Any, Any>, never, Scope.Scope>
      : one.make
    if (one.indices !== undefined) return { kind: it.kind, model: it as Layer.Layer, layer: "" }
    const { input: actQuant = ScaledInt.Int8ActPerTensorFloat } = one
    const input = yield* (Activation.quantIdentity as (options: object) => ReturnType<typeof Activation.quantIdentity>)(
      { actQuant, returnQuantTensor: true }
    )
    const call = one.call ?? ((layer: (x: Any) => Any, x: tf.Tensor) => layer(x))
    const model = Model.functional({ input, it }, (layer, x: Layer.Value) =>
      call(layer.it, layer.input(x) as tf.Tensor)
    )
    return { kind: it.kind, model: model as Layer.Layer, layer: "it" }
  })

/** A case in training for three steps. */
export const trained = (one: Case) =>
  Effect.gen(function* () {
    const made = yield* modelOf(one)
    for (const seed of [1, 2, 3]) {
      const x = inputOf(one, seed)
      yield* ownedValue(Layer.forward(made.model, x, Layer.training) as Effect.Effect<Layer.Value, Layer.InputError>)
      x.dispose()
    }
    return made
  })

/** What becomes of a model in every form that it may leave in. */
export const targets = (model: Layer.Layer, { shape, indices }: Case, opset: Onnx.Opset = 21) => {
  const options = { inputShape: shape, opset, ...(indices !== undefined && { indices }) }
  return {
    qcdq: Onnx.exportQcdq(model, options),
    qonnx: Onnx.exportQonnx(model, options),
    float: Onnx.exportFloat(model, options),
    integers: IntegerNetwork.of(model, shape, indices === undefined ? {} : { indices })
  } satisfies Record<string, Effect.Effect<unknown, Error>>
}
