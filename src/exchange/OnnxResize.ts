/**
 * Images of another size, averages over uneven parts, and normalization over channels, in operators of ONNX.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts`, `./OnnxBuilder.ts`, `./OnnxStyle.ts` types.
 * Laws: test/exchange/EveryLayer.test.ts.
 */
import type * as Graph from "./Graph.ts"
import * as Builder from "./OnnxBuilder.ts"
import type { Place } from "./OnnxStyle.ts"

type Of<Op extends Graph.Operation["op"]> = Extract<Graph.Operation, { op: Op }>

/** The axes of height and width, channels first. */
const imageAxes = [2, 3] as const

/** By how much an axis grows, as a float32 of which the old size makes no less than the new one: sizes are rounded down. */
const factorOf = (from: number, to: number): number => {
  const factor = Math.fround(to / from)
  return from * factor >= to ? factor : Math.fround(factor * (1 + 2 ** -23))
}

const resize = (
  { builder, name }: Place,
  x: string,
  { from, to }: Of<"resizeNearest" | "resizeLinear">,
  how: Readonly<Record<string, string>>
): string => {
  const scales = [1, 1, ...from.map((size, i) => factorOf(size, to[i] as number))]
  const inputs = [x, "", builder.constant(`${name}.scales`, "float32", [4], scales)]
  return builder.node(
    "Resize",
    inputs,
    name,
    Object.entries(how).map(([key, value]) => Builder.string(key, value))
  )
}

/** Resize where every element is repeated as often; else rows and columns by their places, which no division in floats decides. */
export const resizeNearest = (place: Place, operation: Of<"resizeNearest">, x: string): string => {
  const { from, to } = operation
  if (from.every((size, i) => (to[i] as number) % size === 0))
    return resize(place, x, operation, {
      coordinate_transformation_mode: "asymmetric",
      mode: "nearest",
      nearest_mode: "floor"
    })
  const { builder, name } = place
  return from.reduce((y, size, i) => {
    const count = to[i] as number
    const places = Array.from({ length: count }, (_, at) => Math.floor((at * size) / count))
    const indices = builder.constant(`${name}.${i === 0 ? "rows" : "columns"}`, "int64", [count], places)
    return builder.node("Gather", [y, indices], i === 0 ? `${name}.tall` : name, [
      Builder.int("axis", imageAxes[i] as number)
    ])
  }, x)
}

export const resizeLinear = (place: Place, operation: Of<"resizeLinear">, x: string): string =>
  resize(place, x, operation, {
    coordinate_transformation_mode: operation.alignCorners ? "align_corners" : "half_pixel",
    mode: "linear"
  })

/** Products with a matrix for the rows and one for the columns. */
export const averages = ({ builder, name }: Place, { from, to }: Of<"averages">, x: string): string => {
  const part = (axis: 0 | 1, i: number): readonly [number, number] => [
    Math.floor((i * from[axis]) / to[axis]),
    Math.ceil(((i + 1) * from[axis]) / to[axis])
  ]
  const weight = (axis: 0 | 1, i: number, j: number): number => {
    const [first, end] = part(axis, i)
    return j >= first && j < end ? 1 / (end - first) : 0
  }
  const [rows, columns] = [
    Array.from({ length: to[0] * from[0] }, (_, at) => weight(0, Math.floor(at / from[0]), at % from[0])),
    Array.from({ length: from[1] * to[1] }, (_, at) => weight(1, at % to[1], Math.floor(at / to[1])))
  ]
  const byRow = builder.constant(`${name}.rows`, "float32", [to[0], from[0]], rows)
  const byColumn = builder.constant(`${name}.columns`, "float32", [from[1], to[1]], columns)
  return builder.node("MatMul", [builder.node("MatMul", [byRow, x], `${name}.tall`), byColumn], name)
}

// ---- normalization ------------------------------------------------------------------------------------------

/** LayerNormalization where the version has it and a mean is taken away; else what it is made of. */
export const layerNorm = ({ builder, name }: Place, operation: Of<"layerNorm">, x: string, opset: number): string => {
  const { centered, epsilon, weight, bias } = operation
  const w = builder.constant(`${name}.weight`, "float32", weight.shape, weight.data)
  const b = bias === undefined ? [] : [builder.constant(`${name}.bias`, "float32", bias.shape, bias.data)]
  if (centered && opset >= 17) {
    const attributes = [Builder.int("axis", -1), Builder.float("epsilon", epsilon)]
    return builder.node("LayerNormalization", [x, w, ...b], name, attributes)
  }
  const keep = Builder.int("keepdims", 1)
  const mean = (of: string, label: string): string =>
    opset < 18
      ? builder.node("ReduceMean", [of], label, [Builder.ints("axes", [-1]), keep])
      : builder.node("ReduceMean", [of, builder.constant(`${name}.axes`, "int64", [1], [-1])], label, [keep])
  const from = centered ? builder.node("Sub", [x, mean(x, `${name}.mean`)], `${name}.centred`) : x
  const square = mean(builder.node("Mul", [from, from], `${name}.squares`), `${name}.square`)
  const small = builder.constant(`${name}.epsilon`, "float32", [], [epsilon])
  const size = builder.node("Sqrt", [builder.node("Add", [square, small], `${name}.sum`)], `${name}.size`)
  const scaled = builder.node("Div", [from, size], `${name}.scaled`)
  const last = b.length === 0 ? name : `${name}.weighted`
  const weighted = builder.node("Mul", [scaled, w], last)
  return b.length === 0 ? weighted : builder.node("Add", [weighted, ...b], name)
}
