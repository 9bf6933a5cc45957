/**
 * ONNX without quantization: for graphs that were traced without quantizers.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts` types, `./OnnxStyle.ts` types. Laws: test/exchange/OnnxFloat.test.ts.
 */
import type * as Graph from "./Graph.ts"
import type { Place, Style } from "./OnnxStyle.ts"

const plain = ({ builder, name }: Place, { raw }: Graph.Constant): string =>
  builder.constant(name, "float32", raw.shape, raw.data)

/** The dialect: what is learned is stored as floats, and nothing is quantized on the way. */
export const style: Style = {
  target: "ONNX of floats",
  quantize: (_, x) => x,
  truncate: (_, x) => x,
  weight: plain,
  bias: plain
}
