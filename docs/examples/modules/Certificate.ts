import { Certificate, Onnx, OnnxRuntime } from "breve"
import { Effect } from "effect"
import { make } from "../export/model.ts"

/** Whether the file computes what was trained: it runs, and is compared with the integers and with the model, output by output. */
export const example = Effect.gen(function* () {
  const model = yield* make
  const file = yield* Onnx.exportQcdq(model, { inputShape: [1, 16] })
  const data = Float32Array.from({ length: 20 * 16 }, (_, i) => Math.sin(i * i))
  const { certified, comparisons } = yield* Certificate.certify(file, model, { shape: [20, 16], data })
  return { certified, equal: comparisons.map(({ between, equal, outputs }) => [...between, equal, outputs]) }
}).pipe(Effect.provide(OnnxRuntime.layer))

export const shows = {
  certified: true,
  equal: [
    ["the file in the runtime", "the integers", 80, 80],
    ["the model in training", "the integers", 80, 80]
  ]
}
