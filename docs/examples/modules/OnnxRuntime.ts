import * as tf from "@tensorflow/tfjs-core"
import { Layer, Onnx, OnnxRuntime, QuantTensor } from "breve"
import { Effect } from "effect"
import { make } from "../export/model.ts"

/** Runs an exported file in onnxruntime-web, and compares its answer with that of the model. */
export const example = Effect.gen(function* () {
  const model = yield* make
  const { open } = yield* OnnxRuntime.OnnxRuntime
  const session = yield* open(yield* Onnx.exportQcdq(model, { inputShape: [1, 16] }))
  const answer = yield* session.run({ shape: [1, 16], data: new Float32Array(16).fill(0.5) })
  const x = tf.fill([1, 16], 0.5)
  const y = yield* Layer.forward(model, x)
  const wanted = QuantTensor.dequantized(y).dataSync()
  tf.dispose([x, ...QuantTensor.tensorsOf(y)])
  return answer.data.every((value, i) => Math.abs(value - (wanted[i] ?? Number.NaN)) < 1e-5)
}).pipe(Effect.provide(OnnxRuntime.layer))

export const shows = true
