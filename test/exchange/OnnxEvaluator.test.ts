/** OnnxEvaluator.ts: QCDQ files compute what they do in onnxruntime, QONNX files what the integers are; certificates of both. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe } from "effect"
import { expect } from "vitest"
import * as Certificate from "../../src/exchange/Certificate.ts"
import * as Onnx from "../../src/exchange/Onnx.ts"
import * as OnnxEvaluator from "../../src/exchange/OnnxEvaluator.ts"
import * as OnnxProto from "../../src/exchange/OnnxProto.ts"
import * as OnnxRuntime from "../../src/exchange/OnnxRuntime.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Elementwise from "../../src/nn/Elementwise.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Normalization from "../../src/nn/Normalization.ts"
import * as Pooling from "../../src/nn/Pooling.ts"
import * as Truncated from "../../src/nn/Truncated.ts"
import * as Binary from "../../src/quant/Binary.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as ShiftedScaledInt from "../../src/quant/ShiftedScaledInt.ts"
import * as Random from "../../src/tensor/Random.ts"
import { onBackends, owned, ownedValue, scoped } from "../nn/Scoped.ts"
import * as Networks from "./Networks.ts"

const floatsOf = (shape: ReadonlyArray<number>, seed: number): OnnxRuntime.Floats => ({
  shape,
  data: Random.uniform(
    Random.make(seed),
    shape.reduce((a, b) => a * b, 1),
    -1,
    1
  )
})

/** What a file answers in a runtime. */
const answer = (bytes: Uint8Array, x: OnnxRuntime.Floats) =>
  Effect.gen(function* () {
    const runtime = yield* OnnxRuntime.OnnxRuntime
    const session = yield* runtime.open(bytes)
    return yield* session.run(x)
  })

const collected = Injector.let({ collectStatsSteps: 2 })
const act = pipe(ScaledInt.Int8ActPerTensorFloat, collected)

/** Networks that use every operator that the exporter writes. */
const networks = Effect.gen(function* () {
  const image = [2, 6, 6, 4]
  const input = Activation.quantIdentity({
    actQuant: pipe(ShiftedScaledInt.ShiftedUint8ActPerTensorFloat, collected),
    returnQuantTensor: true
  })
  const conv = yield* Convolution.quantConv2d({
    inChannels: 4,
    outChannels: 4,
    kernelSize: [3, 3],
    padding: "same",
    groups: 2,
    weightQuant: ScaledInt.Int8WeightPerChannelFloat
  })
  const cat = yield* Elementwise.quantCat({ inputQuant: act, outputQuant: act })
  const add = yield* Elementwise.quantEltwiseAdd({ inputQuant: act, outputQuant: act })
  return [
    { shape: [2, 20], model: yield* Networks.mlp(4), qcdq: true },
    { shape: [...Networks.cnnShape], model: yield* Networks.cnn(8), qcdq: true },
    {
      shape: image,
      qcdq: true,
      model: Model.functional({ input: yield* input, conv, cat, add }, (layer, x: Layer.Value) => {
        const y = layer.conv(layer.input(x))
        return layer.cat([layer.add([y, layer.input(x)]), y])
      }) as Layer.Layer
    },
    {
      shape: image,
      qcdq: true,
      model: Model.sequential({
        norm: yield* Normalization.batchNorm({ channels: 4 }),
        affine: yield* Normalization.quantScaleBias({ channels: 4 }),
        average: Pooling.avgPool2d({ size: [3, 3], strides: [1, 2], pad: 1 }),
        largest: Pooling.maxPool2d({ size: [2, 2], strides: [1, 1], pad: "same" }),
        hard: yield* Activation.quantHardTanh({ actQuant: null, minVal: -0.25, maxVal: 0.5 }),
        sigmoid: yield* Activation.quantSigmoid({ actQuant: null }),
        tanh: yield* Activation.quantTanh()
      })
    },
    {
      shape: [3, 5, 4],
      qcdq: true,
      model: Model.sequential({
        sign: yield* Activation.quantIdentity({ actQuant: Binary.SignedBinaryActPerTensorConst }),
        signs: yield* Linear.quantLinear({
          inFeatures: 4,
          outFeatures: 3,
          weightQuant: Binary.SignedBinaryWeightPerTensorConst
        })
      })
    },
    {
      shape: image,
      qcdq: true,
      model: Model.sequential({
        act: yield* Activation.quantReLU({ returnQuantTensor: true }),
        cut: yield* Truncated.truncAvgPool2d({ kernelSize: [2, 2] })
      })
    }
  ]
})

onBackends("the evaluator", () => {
  scoped("computes files of both dialects as the model does, and QCDQ as onnxruntime does", () =>
    Effect.gen(function* () {
      for (const { model, shape, qcdq } of yield* networks) {
        for (const seed of [1, 2, 3]) {
          const x = yield* owned(() => Networks.drawn(seed, shape))
          yield* ownedValue(Layer.forward(model, x, Layer.training) as Effect.Effect<Layer.Value, Layer.InputError>)
        }
        const x = yield* owned(() => Networks.drawn(8, shape))
        const value = yield* ownedValue(Layer.forward(model, x))
        const y = "value" in value ? value.value : (value as tf.Tensor)
        const order = (rank: number) => [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)]
        const isImage = shape.length === 4
        const [there, wanted] = [x, y].map((t) =>
          isImage && t.rank === 4 ? tf.transpose(t, order(4)) : t.clone()
        ) as [tf.Tensor, tf.Tensor]
        const given = { shape: there.shape, data: there.dataSync() as Float32Array }
        const largest = Math.max(...wanted.dataSync().map(Math.abs))
        const off = ({ shape: of, data }: OnnxRuntime.Floats) => {
          expect(of).toEqual(wanted.shape)
          return Math.max(...wanted.dataSync().map((v, i) => Math.abs(v - (data[i] as number)))) / largest
        }
        const qonnx = yield* Onnx.exportQonnx(model, { inputShape: shape })
        expect(off(yield* Effect.provide(answer(qonnx, given), OnnxEvaluator.layer))).toBeLessThan(1e-5)
        if (qcdq)
          for (const opset of [13, 21] as const) {
            const bytes = yield* Onnx.exportQcdq(model, { inputShape: shape, opset })
            const mine = yield* Effect.provide(answer(bytes, given), OnnxEvaluator.layer)
            const theirs = yield* Effect.provide(answer(bytes, given), OnnxRuntime.layer)
            expect(off(mine)).toBeLessThan(1e-5)
            // it fuses nodes, and is a step of 8 bits off where a sum is a tie then
            expect(off(theirs)).toBeLessThan(0.01)
          }
        tf.dispose([there, wanted])
      }
    })
  )

  scoped("certifies QONNX files, and refuses one with a changed weight", () =>
    Effect.gen(function* () {
      const model = yield* Networks.cnn(4)
      const x = floatsOf([40, ...Networks.cnnShape.slice(1)], 7)
      const bytes = yield* Onnx.exportQonnx(model, { inputShape: Networks.cnnShape })
      const certify = (given: Uint8Array) => Effect.provide(Certificate.certify(given, model, x), OnnxEvaluator.layer)
      const certificate = yield* certify(bytes)
      expect(certificate).toMatchObject({
        certified: true,
        model: { dialect: "QONNX" },
        runtime: { name: "breve's evaluator" }
      })
      expect(certificate.comparisons[0]?.equal).toBeGreaterThan(190)
      const read = yield* OnnxProto.decode(bytes)
      const initializer = read.graph.initializer.map((tensor) =>
        tensor.name === "conv2.weight.floats"
          ? { ...tensor, rawData: tensor.rawData.map((b, i) => (i % 4 === 3 ? b ^ 128 : b)) }
          : tensor
      )
      const other = OnnxProto.encode({ ...read, graph: { ...read.graph, initializer } })
      expect((yield* certify(other)).certified).toBe(false)
    })
  )

  scoped("says which node it does not know, and what is wrong with a file", () =>
    Effect.gen(function* () {
      const made = yield* Onnx.toQonnx(Model.relu, { inputShape: [2, 4] })
      const strange = made.graph.node.map((node) => ({ ...node, opType: "Sine" }))
      const bytes = OnnxProto.encode({ ...made, graph: { ...made.graph, node: strange } })
      const refused = (given: Uint8Array, x = floatsOf([2, 4], 1)) =>
        Effect.map(Effect.flip(Effect.provide(answer(given, x), OnnxEvaluator.layer)), (error) => error.message)
      expect(yield* refused(bytes)).toBe("breve's evaluator cannot load the model: it does not know Sine")
      expect(yield* refused(new TextEncoder().encode("text"))).toMatch(/cannot load the model: .*no ONNX model/)
      const read = yield* OnnxProto.decode(yield* Onnx.exportFloat(Model.relu, { inputShape: [2, 4] }))
      const [node] = read.graph.node
      const bare = OnnxProto.encode({
        ...read,
        graph: { ...read.graph, node: [{ ...(node as typeof node & object), input: ["nobody"] }] }
      })
      expect(yield* refused(bare)).toBe(`breve's evaluator cannot run the model: "nobody" is used before it is there`)
    })
  )
})
