/** OnnxFloat.ts: a file of floats computes what the model does without its quantizers. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { expect } from "vitest"
import * as Onnx from "../../src/exchange/Onnx.ts"
import * as Runtime from "../../src/exchange/OnnxRuntime.ts"
import { OnnxRuntime } from "../../src/exchange/OnnxRuntime.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Dynamic from "../../src/quant/Dynamic.ts"
import * as FloatOcp from "../../src/quant/FloatOcp.ts"
import { onBackends, owned, ownedValue, scoped } from "../nn/Scoped.ts"
import * as Networks from "./Networks.ts"

const floats = Layer.without(Layer.evaluation)

/** The largest difference of the float file from the model without quantizers, and from the model with them. */
const differences = (model: Layer.Layer, shape: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const bytes = yield* Onnx.exportFloat(model, { inputShape: shape })
    const runtime = yield* OnnxRuntime
    const x = yield* owned(() => Networks.drawn(5, shape))
    const first = yield* owned(() => (x.rank === 4 ? tf.transpose(x, [0, 3, 1, 2]) : x.clone()))
    const session = yield* runtime.open(bytes)
    const { data } = yield* session.run({ shape: first.shape, data: first.dataSync() as Float32Array })
    const off = (mode: Layer.Mode) =>
      Effect.map(ownedValue(Layer.forward(model, x, mode)), (y) =>
        Math.max(...(y as tf.Tensor).dataSync().map((value, i) => Math.abs(value - (data[i] as number))))
      )
    const { graph } = yield* Onnx.decode(bytes)
    return { float: yield* off(floats), quantized: yield* off(Layer.evaluation), graph }
  }).pipe(Effect.provide(Runtime.layer))

onBackends("a file of floats", () => {
  scoped("is the network without quantization", () =>
    Effect.gen(function* () {
      for (const [make, shape] of [
        [Networks.mlp, Networks.mlpShape],
        [Networks.cnn, Networks.cnnShape]
      ] as const) {
        const { float, quantized, graph } = yield* differences(yield* make(4), shape)
        expect(float).toBeLessThan(1e-5)
        expect(quantized).toBeGreaterThan(1e-3)
        expect(graph.node.map(({ opType }) => opType).filter((type) => /Quantize|Quant/.test(type))).toEqual([])
        expect(new Set(graph.initializer.map(({ dataType }) => dataType))).toEqual(new Set(["float32"]))
      }
    })
  )

  scoped("clips where a quantizer did, and knows layers whose quantizers have no file of their own", () =>
    Effect.gen(function* () {
      const model = Model.sequential({
        fc: yield* Linear.quantLinear({
          inFeatures: 6,
          outFeatures: 5,
          weightQuant: FloatOcp.Fp8e4m3OCPWeightPerTensorFloat
        }),
        act: yield* Activation.quantHardTanh({ minVal: -0.1, maxVal: 0.2 }),
        moving: yield* Activation.quantIdentity({ actQuant: Dynamic.Int8DynamicActPerTensorFloat })
      })
      const { float, graph } = yield* differences(model, [3, 6])
      expect(float).toBeLessThan(1e-6)
      expect(graph.node.map(({ opType }) => opType)).toEqual(["Gemm", "Clip"])
    })
  )
})
