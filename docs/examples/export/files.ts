import { Onnx } from "breve"
import { Effect } from "effect"
import * as Example from "./model.ts"

export const run = Effect.gen(function* () {
  const model = yield* Example.make
  const inputShape = [1, 16]
  const qcdq = yield* Onnx.exportQcdq(model, { inputShape })
  const packed = yield* Onnx.exportQcdq(model, { inputShape, opset: 21 })
  const qonnx = yield* Onnx.exportQonnx(model, { inputShape })
  const { graph } = yield* Onnx.decode(qcdq)
  const operators = new Set(graph.node.map(({ opType }) => opType))
  return `QCDQ ${qcdq.length} bytes, with packed weights ${packed.length}, QONNX ${qonnx.length}\n${[...operators].join(", ")}`
})
