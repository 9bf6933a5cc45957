import { Onnx, OnnxEvaluator, OnnxRuntime } from "breve"
import { Effect } from "effect"
import { make } from "../export/model.ts"

/** Runs a QONNX file, whose own nodes no runtime knows. */
export const example = Effect.gen(function* () {
  const file = yield* Onnx.exportQonnx(yield* make, { inputShape: [1, 16] })
  const runtime = yield* OnnxRuntime.OnnxRuntime
  const session = yield* runtime.open(file)
  const { shape } = yield* session.run({ shape: [1, 16], data: new Float32Array(16).fill(0.5) })
  return { runtime: runtime.name, shape }
}).pipe(Effect.provide(OnnxEvaluator.layer))

export const shows = { runtime: "breve's evaluator", shape: [1, 4] }
