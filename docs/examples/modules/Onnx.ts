import { Onnx } from "breve"
import { Effect } from "effect"
import { make } from "../export/model.ts"

/** The bytes of an ONNX file with integers, and the operators that are in it. */
export const example = Effect.gen(function* () {
  const file = yield* Onnx.exportQcdq(yield* make, { inputShape: [1, 16] })
  const { graph } = yield* Onnx.decode(file, "model.onnx")
  return [...new Set(graph.node.map(({ opType }) => opType))]
})

export const shows = ["QuantizeLinear", "DequantizeLinear", "Clip", "Gemm", "Relu"]
