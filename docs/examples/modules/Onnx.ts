import { Onnx } from "breve"
import { Effect } from "effect"
import { make } from "../export/model.ts"

/** The bytes of an ONNX file, of integers; and what is in it. */
export const example = Effect.gen(function* () {
  const file = yield* Onnx.exportQcdq(yield* make, { inputShape: [1, 16] })
  const { graph } = yield* Onnx.decode(file, "model.onnx")
  return { bytes: file.length, operators: [...new Set(graph.node.map(({ opType }) => opType))] }
})

export const shows = { bytes: 3144, operators: ["QuantizeLinear", "DequantizeLinear", "Clip", "Gemm", "Relu"] }
