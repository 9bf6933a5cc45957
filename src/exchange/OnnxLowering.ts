/**
 * From a graph to the nodes of ONNX, in a dialect; images have their channels first there.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts`, `./OnnxBuilder.ts`, `./OnnxLayout.ts`, `./OnnxModel.ts`,
 * `./OnnxOperators.ts`, `./OnnxResize.ts`, `./OnnxStyle.ts`.
 * Laws: test/exchange/Onnx.test.ts.
 */
import * as Graph from "./Graph.ts"
import * as Builder from "./OnnxBuilder.ts"
import * as Layout from "./OnnxLayout.ts"
import type * as OnnxModel from "./OnnxModel.ts"
import { batchNorm, convolution, linear, number, pool, scaleBias } from "./OnnxOperators.ts"
import * as OnnxResize from "./OnnxResize.ts"
import { axisOf, type Place, refusal, type Style, type Truncation } from "./OnnxStyle.ts"

type Operation = Graph.Operation

interface Site {
  readonly style: Style
  readonly graph: Graph.Graph
  readonly builder: Builder.Builder
  /** the version of the operators */
  readonly opset: number
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
    case "truncate": {
      // averages over uneven parts lie between the integers that are cut
      const isUneven = graph.nodes.some((one) => one.output === input && one.operation.op === "averages")
      const axis = axisOf(style.target, node, operation.grid, rank)
      const [from, grid] = [gridIn(held, operation.from, rank), gridIn(held, operation.grid, rank)]
      const moved = { ...operation, from, grid } as Truncation
      const at = axis === undefined ? undefined : Layout.axisIn(held, axis, rank)
      return { ...held, name: style.truncate(place, held.name, moved, at, isUneven) }
    }
    case "linear": {
      const x = inLayout(site, input, false)
      return { name: linear(style, place, operation, x, rank), first: false }
    }
    case "conv":
    case "convTranspose":
      return { name: convolution(style, place, operation, inLayout(site, input, true)), first: true }
    case "maxPool":
    case "averagePool":
      return { name: pool(place, operation, inLayout(site, input, true).name), first: true }
    case "resizeNearest":
      return { name: OnnxResize.resizeNearest(place, operation, inLayout(site, input, true).name), first: true }
    case "resizeLinear":
      return { name: OnnxResize.resizeLinear(place, operation, inLayout(site, input, true).name), first: true }
    case "averages":
      return { name: OnnxResize.averages(place, operation, inLayout(site, input, true).name), first: true }
    case "gather": {
      const table = style.weight({ ...place, name: `${place.name}.weight` }, operation.weight)
      const axis = Builder.int("axis", 0)
      return { name: builder.node("Gather", [table, held.name], place.name, [axis]), first: false }
    }
    case "layerNorm": {
      const x = inLayout(site, input, false)
      return { ...x, name: OnnxResize.layerNorm(place, operation, x.name, site.opset) }
    }
    case "batchNorm": {
      const x = operation.over === "all" ? held : inLayout(site, input, true)
      return { ...x, name: batchNorm(place, operation, x.name) }
    }
    case "scaleBias":
      return { ...held, name: scaleBias(style, place, operation, held, rank) }
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
export const graphOf = (graph: Graph.Graph, style: Style, opset: number, batch: number | string): OnnxModel.Graph => {
  const builder = Builder.make([graph.input])
  const shapeOf = (held: Layout.Held, name: string): ReadonlyArray<number | string> => [
    batch,
    ...Layout.shapeIn(held, graph.shapes[name] ?? []).slice(1)
  ]
  const start: Layout.Held = { name: graph.input, first: Layout.isOutsideFirst(graph, graph.input) }
  const site: Site = { style, graph, builder, opset, held: new Map([[graph.input, start]]) }
  for (const node of graph.nodes) site.held.set(node.output, lowered(site, node))
  const last = inLayout(site, graph.output, Layout.isOutsideFirst(graph, graph.output))
  const output = last.name === graph.input ? builder.node("Identity", [last.name], "output") : last.name
  const dataType = graph.indices === undefined ? "float32" : "int64"
  return {
    name: "breve",
    node: builder.nodes(),
    initializer: builder.initializers(),
    input: [{ name: graph.input, dataType, shape: shapeOf(start, graph.input) }],
    output: [{ name: output, dataType: "float32", shape: shapeOf(last, graph.output) }]
  }
}
