/**
 * Operators of ONNX with what they need as constants and attributes.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts`, `./OnnxBuilder.ts`, `./OnnxLayout.ts`, `./OnnxModel.ts`, `./OnnxStyle.ts` types.
 * Laws: test/exchange/Onnx.test.ts.
 */
import type * as Graph from "./Graph.ts"
import * as Builder from "./OnnxBuilder.ts"
import * as Layout from "./OnnxLayout.ts"
import type * as OnnxModel from "./OnnxModel.ts"
import type { Place, Style } from "./OnnxStyle.ts"

type Of<Op extends Graph.Operation["op"]> = Extract<Graph.Operation, { op: Op }>

const windows = ({ kernel, strides, pads }: Graph.Lie): ReadonlyArray<OnnxModel.Attribute> => [
  Builder.ints("kernel_shape", kernel),
  Builder.ints("pads", [...pads.map(([before]) => before), ...pads.map(([, after]) => after)]),
  Builder.ints("strides", strides)
]

export const linear = (style: Style, place: Place, operation: Of<"linear">, x: Layout.Held, rank: number): string => {
  const { builder, name } = place
  const { weight, bias } = operation
  const ordered = x.flat === undefined ? weight : Layout.rows(weight, x.flat)
  const w = style.weight({ ...place, name: `${name}.weight` }, Layout.weight(ordered))
  const b = bias === undefined ? undefined : style.bias({ ...place, name: `${name}.bias` }, bias)
  if (b !== undefined && rank === 2) {
    const attributes = [Builder.float("alpha", 1), Builder.float("beta", 1), Builder.int("transB", 1)]
    return builder.node("Gemm", [x.name, w, b], name, attributes)
  }
  const transposed = builder.node("Transpose", [w], `${name}.weight.transposed`, [Builder.ints("perm", [1, 0])])
  if (b === undefined) return builder.node("MatMul", [x.name, transposed], name)
  return builder.node("Add", [builder.node("MatMul", [x.name, transposed], `${name}.product`), b], name)
}

export const convolution = (
  style: Style,
  place: Place,
  operation: Of<"conv"> | Of<"convTranspose">,
  x: Layout.Held
): string => {
  const { builder, name } = place
  const { weight, bias, groups, lie } = operation
  const w = style.weight({ ...place, name: `${name}.weight` }, Layout.weight(weight))
  const b = bias === undefined ? [] : [style.bias({ ...place, name: `${name}.bias` }, bias)]
  const [kernel, pads, strides] = windows(lie) as [OnnxModel.Attribute, OnnxModel.Attribute, OnnxModel.Attribute]
  const begin = [Builder.ints("dilations", lie.dilations), Builder.int("group", groups), kernel]
  if (operation.op === "conv") return builder.node("Conv", [x.name, w, ...b], name, [...begin, pads, strides])
  const extra = Builder.ints("output_padding", operation.outputPadding)
  return builder.node("ConvTranspose", [x.name, w, ...b], name, [...begin, extra, pads, strides])
}

export const pool = ({ builder, name }: Place, { op, lie }: Of<"maxPool" | "averagePool">, x: string): string => {
  const ceil = Builder.int("ceil_mode", 0)
  if (op === "maxPool") return builder.node("MaxPool", [x], name, [ceil, ...windows(lie)])
  const isPadded = lie.pads.some(([before, after]) => before !== 0 || after !== 0)
  const counting = isPadded ? [Builder.int("count_include_pad", 1)] : []
  return builder.node("AveragePool", [x], name, [ceil, ...counting, ...windows(lie)])
}

export const batchNorm = ({ builder, name }: Place, operation: Of<"batchNorm">, x: string): string => {
  const { weight, bias, mean, variance, epsilon, over } = operation
  const parts = { weight, bias, mean, variance }
  if (over === "channels") {
    const given = Object.entries(parts).map(([label, { shape, data }]) =>
      builder.constant(`${name}.${label}`, "float32", shape, data)
    )
    return builder.node("BatchNormalization", [x, ...given], name, [Builder.float("epsilon", epsilon)])
  }
  const first = ({ data }: Graph.Numbers): number => data[0] as number
  const factor = first(weight) / Math.sqrt(first(variance) + epsilon)
  const scaled = builder.node("Mul", [x, builder.constant(`${name}.factor`, "float32", [], [factor])], `${name}.scaled`)
  const offset = first(bias) - first(mean) * factor
  return builder.node("Add", [scaled, builder.constant(`${name}.offset`, "float32", [], [offset])], name)
}

export const scaleBias = (
  style: Style,
  place: Place,
  { weight, bias }: Of<"scaleBias">,
  x: Layout.Held,
  rank: number
): string => {
  const { builder, name } = place
  const beside = (constant: Graph.Constant): Graph.Constant => (x.first ? Layout.perChannel(constant, rank) : constant)
  const w = style.weight({ ...place, name: `${name}.weight` }, beside(weight))
  if (bias === undefined) return builder.node("Mul", [x.name, w], name)
  const product = builder.node("Mul", [x.name, w], `${name}.product`)
  return builder.node("Add", [product, style.bias({ ...place, name: `${name}.bias` }, beside(bias))], name)
}

export const number = ({ builder, name }: Place, label: string, value: number): string =>
  builder.constant(`${name}.${label}`, "float32", [], [value])
