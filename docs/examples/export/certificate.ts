import { Certificate, Onnx, OnnxRuntime } from "breve"
import { Effect } from "effect"
import * as Example from "./model.ts"

export const run = Effect.gen(function* () {
  const model = yield* Example.make
  const file = yield* Onnx.exportQcdq(model, { inputShape: [1, 16] })
  const data = Float32Array.from({ length: 50 * 16 }, (_, i) => Math.sin(i * i))
  const certificate = yield* Certificate.certify(file, model, { shape: [50, 16], data })
  const { certified, comparisons, runtime } = certificate
  const lines = comparisons.map(
    ({ between, equal, outputs }) => `${between.join(" and ")}: ${equal} of ${outputs} equal`
  )
  return [`certified in ${runtime.name}: ${certified}`, ...lines].join("\n")
}).pipe(Effect.provide(OnnxRuntime.layer))
