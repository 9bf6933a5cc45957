/**
 * From a graph to the nodes of ONNX, in a dialect; images have their channels first there.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts`, `./OnnxBuilder.ts`, `./OnnxLayout.ts`, `./OnnxModel.ts`, `./OnnxStyle.ts`.
 * Laws: test/exchange/Onnx.test.ts.
 */
import * as Graph from "./Graph.ts"
import * as Builder from "./OnnxBuilder.ts"
import * as Layout from "./OnnxLayout.ts"
import type * as OnnxModel from "./OnnxModel.ts"
import { axisOf, type Place, refusal, type Style } from "./OnnxStyle.ts"

type Operation = Graph.Operation
type Of<Op extends Operation["op"]> = Extract<Operation, { op: Op }>

interface Site {
  readonly style: Style
  readonly graph: Graph.Graph
  readonly builder: Builder.Builder
  readonly held: Map<string, Layout.Held>
}

const rankOf = ({ graph }: Site, name: string): number => graph.shapes[name]?.length ?? 0

/** A value in the layout that an operator needs. */
const inLayout = (site: Site, name: string, first: boolean): Layout.Held => {
  const held = site.held.get(name) as Layout.Held
  const rank = rankOf(site, name)
  if (held.first === first || rank < 3) return held
  const key = `${name} ${first ? "first" : "last"}`
  const known = site.held.get(key)
  if (known !== undefined) return known
  const perm = Builder.ints("perm", first ? Layout.toFirst(rank) : Layout.toLast(rank))
  const moved = { name: site.builder.node("Transpose", [held.name], `${held.name}.transposed`, [perm]), first }
  site.held.set(key, moved)
  return moved
}

// ---- operators ----------------------------------------------------------------------------------------------

const windows = ({ kernel, strides, pads }: Graph.Lie): ReadonlyArray<OnnxModel.Attribute> => [
  Builder.ints("kernel_shape", kernel),
  Builder.ints("pads", [...pads.map(([before]) => before), ...pads.map(([, after]) => after)]),
  Builder.ints("strides", strides)
]

const linear = (site: Site, place: Place, operation: Of<"linear">, x: Layout.Held, rank: number): string => {
  const { builder, name } = place
  const { weight, bias } = operation
  const ordered = x.flat === undefined ? weight : Layout.rows(weight, x.flat)
  const w = site.style.weight({ ...place, name: `${name}.weight` }, Layout.weight(ordered))
  const b = bias === undefined ? undefined : site.style.bias({ ...place, name: `${name}.bias` }, bias)
  if (b !== undefined && rank === 2) {
    const attributes = [Builder.float("alpha", 1), Builder.float("beta", 1), Builder.int("transB", 1)]
    return builder.node("Gemm", [x.name, w, b], name, attributes)
  }
  const transposed = builder.node("Transpose", [w], `${name}.weight.transposed`, [Builder.ints("perm", [1, 0])])
  if (b === undefined) return builder.node("MatMul", [x.name, transposed], name)
  return builder.node("Add", [builder.node("MatMul", [x.name, transposed], `${name}.product`), b], name)
}

const convolution = (site: Site, place: Place, operation: Of<"conv"> | Of<"convTranspose">, x: Layout.Held): string => {
  const { builder, name } = place
  const { weight, bias, groups, lie } = operation
  const w = site.style.weight({ ...place, name: `${name}.weight` }, Layout.weight(weight))
  const b = bias === undefined ? [] : [site.style.bias({ ...place, name: `${name}.bias` }, bias)]
  const [kernel, pads, strides] = windows(lie) as [OnnxModel.Attribute, OnnxModel.Attribute, OnnxModel.Attribute]
  const begin = [Builder.ints("dilations", lie.dilations), Builder.int("group", groups), kernel]
  if (operation.op === "conv") return builder.node("Conv", [x.name, w, ...b], name, [...begin, pads, strides])
  const extra = Builder.ints("output_padding", operation.outputPadding)
  return builder.node("ConvTranspose", [x.name, w, ...b], name, [...begin, extra, pads, strides])
}

const pool = ({ builder, name }: Place, { op, lie }: Of<"maxPool" | "averagePool">, x: string): string => {
  const ceil = Builder.int("ceil_mode", 0)
  if (op === "maxPool") return builder.node("MaxPool", [x], name, [ceil, ...windows(lie)])
  const isPadded = lie.pads.some(([before, after]) => before !== 0 || after !== 0)
  const counting = isPadded ? [Builder.int("count_include_pad", 1)] : []
  return builder.node("AveragePool", [x], name, [ceil, ...counting, ...windows(lie)])
}

const batchNorm = ({ builder, name }: Place, operation: Of<"batchNorm">, x: string): string => {
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

const scaleBias = (
  site: Site,
  place: Place,
  { weight, bias }: Of<"scaleBias">,
  x: Layout.Held,
  rank: number
): string => {
  const { builder, name } = place
  const beside = (constant: Graph.Constant): Graph.Constant => (x.first ? Layout.perChannel(constant, rank) : constant)
  const w = site.style.weight({ ...place, name: `${name}.weight` }, beside(weight))
  if (bias === undefined) return builder.node("Mul", [x.name, w], name)
  const product = builder.node("Mul", [x.name, w], `${name}.product`)
  return builder.node("Add", [product, site.style.bias({ ...place, name: `${name}.bias` }, beside(bias))], name)
}

const number = ({ builder, name }: Place, label: string, value: number): string =>
  builder.constant(`${name}.${label}`, "float32", [], [value])

const names: Readonly<Partial<Record<Operation["op"], string>>> = {
  relu: "Relu",
  sigmoid: "Sigmoid",
  tanh: "Tanh",
  add: "Add"
}

/** Numbers of a grid for a value in the layout of ONNX. */
const gridIn = (held: Layout.Held, grid: Graph.Grid, rank: number): Graph.Grid => {
  const moved = (numbers: Graph.Numbers): Graph.Numbers => {
    if (numbers.data.length === 1 || !held.first) return numbers
    const shape = [...Array.from({ length: rank - numbers.shape.length }, () => 1), ...numbers.shape]
    return Graph.permuted({ shape, data: numbers.data }, Layout.toFirst(rank))
  }
  const scale = moved(grid.scale)
  return grid.kind === "integer" ? { ...grid, scale, zeroPoint: moved(grid.zeroPoint) } : { ...grid, scale }
}

const flattened = (site: Site, place: Place, name: string, output: string): Layout.Held => {
  const rank = rankOf(site, name)
  const may = Layout.mayReorder(site.graph, output)
  const held = may ? (site.held.get(name) as Layout.Held) : inLayout(site, name, false)
  const y = { name: place.builder.node("Flatten", [held.name], place.name, [Builder.int("axis", 1)]), first: false }
  if (!held.first || rank < 3) return y
  const shape = site.graph.shapes[name] ?? []
  const channels = shape.at(-1) ?? 1
  return { ...y, flat: { channels, pixels: shape.slice(1, -1).reduce((a, b) => a * b, 1) } }
}

// ---- nodes --------------------------------------------------------------------------------------------------

const lowered = (site: Site, node: Graph.Node): Layout.Held => {
  const { style, builder, graph } = site
  const { operation, inputs, output } = node
  const place: Place = { builder, node, name: output === graph.output ? "output" : output }
  const input = inputs[0] as string
  const rank = rankOf(site, input)
  const held = site.held.get(input) as Layout.Held
  switch (operation.op) {
    case "quantize": {
      const axis = axisOf(style.target, node, operation.grid, rank)
      const grid = gridIn(held, operation.grid, rank)
      const at = axis === undefined ? undefined : Layout.axisIn(held, axis, rank)
      return { ...held, name: style.quantize(place, held.name, grid, at) }
    }
    case "truncate":
      return { ...held, name: style.truncate(place, held.name, operation) }
    case "linear": {
      const x = inLayout(site, input, false)
      return { name: linear(site, place, operation, x, rank), first: false }
    }
    case "conv":
    case "convTranspose":
      return { name: convolution(site, place, operation, inLayout(site, input, true)), first: true }
    case "maxPool":
    case "averagePool":
      return { name: pool(place, operation, inLayout(site, input, true).name), first: true }
    case "batchNorm": {
      const x = operation.over === "all" ? held : inLayout(site, input, true)
      return { ...x, name: batchNorm(place, operation, x.name) }
    }
    case "scaleBias":
      return { ...held, name: scaleBias(site, place, operation, held, rank) }
    case "flatten":
      return flattened(site, place, input, output)
    case "affine": {
      const scaled = builder.node("Mul", [held.name, number(place, "factor", operation.factor)], `${place.name}.scaled`)
      return { ...held, name: builder.node("Add", [scaled, number(place, "offset", operation.offset)], place.name) }
    }
    case "clip": {
      const bounds = [number(place, "low", operation.low), number(place, "high", operation.high)]
      return { ...held, name: builder.node("Clip", [held.name, ...bounds], place.name) }
    }
    case "add":
    case "concat": {
      const all = inputs.map((name) => inLayout(site, name, held.first))
      const given = all.map(({ name }) => name)
      if (operation.op === "add") return { ...held, name: builder.node("Add", given, place.name) }
      const axis = Builder.int("axis", Layout.axisIn(held, operation.axis, rank))
      return { ...held, name: builder.node("Concat", given, place.name, [axis]) }
    }
    default: {
      const opType = names[operation.op]
      if (opType === undefined) throw refusal(style.target, node, `ONNX has no ${operation.op}`)
      return { ...held, name: builder.node(opType, [held.name], place.name) }
    }
  }
}

/** The graph of ONNX; throws what the dialect refuses. `batch`: the size or the name of the first axis. */
export const graphOf = (graph: Graph.Graph, style: Style, batch: number | string): OnnxModel.Graph => {
  const builder = Builder.make([graph.input])
  const shapeOf = (held: Layout.Held, name: string): ReadonlyArray<number | string> => [
    batch,
    ...Layout.shapeIn(held, graph.shapes[name] ?? []).slice(1)
  ]
  const start: Layout.Held = { name: graph.input, first: Layout.isOutsideFirst(graph, graph.input) }
  const site: Site = { style, graph, builder, held: new Map([[graph.input, start]]) }
  for (const node of graph.nodes) site.held.set(node.output, lowered(site, node))
  const last = inLayout(site, graph.output, Layout.isOutsideFirst(graph, graph.output))
  const output = last.name === graph.input ? builder.node("Identity", [last.name], "output") : last.name
  return {
    name: "breve",
    node: builder.nodes(),
    initializer: builder.initializers(),
    input: [{ name: graph.input, dataType: "float32", shape: shapeOf(start, graph.input) }],
    output: [{ name: output, dataType: "float32", shape: shapeOf(last, graph.output) }]
  }
}
