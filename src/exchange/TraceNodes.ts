/**
 * The nodes of a graph, from the calls of a trace.
 *
 * Room: exchange (level 5). Imports: tfjs, `nn` types, `tensor`, `./Graph.ts`, `./TraceOperations.ts`.
 * Laws: test/exchange/Trace.test.ts.
 */
import type * as tf from "@tensorflow/tfjs-core"
import type { Call, Use } from "../nn/Calls.ts"
import { NotExportable } from "../tensor/ExportErrors.ts"
import type * as Graph from "./Graph.ts"
import { ontoGrid, operationOf, ownOf, quantizing, refusal } from "./TraceOperations.ts"

// ---- graphs -------------------------------------------------------------------------------------------------

/** Adds a node whose answer is known as the tensor `to`, and says how it is called. */
type Add = (operation: Graph.Operation, from: ReadonlyArray<string>, to: tf.Tensor, label: string) => string

/** Two values of which the second is put onto the grid of the first, where that has one. */
const aligned = (target: string, call: Call, nameOf: (tensor: tf.Tensor) => string, add: Add): void => {
  const [, b] = call.inputs
  const [, onGrid] = call.outputs
  if (b === undefined || onGrid === undefined || onGrid === b) return
  const [grid] = call.given as ReadonlyArray<unknown>
  const onto = ontoGrid(grid)
  if (onto === undefined) throw refusal(target, call, "the grid is none of integers")
  add(onto, [nameOf(b)], onGrid, "grid")
}

/** The graph of calls that began with `x` and answered `ys`. */
export const graphOf = (
  target: string,
  x: tf.Tensor,
  calls: ReadonlyArray<Call>,
  ys: ReadonlyArray<tf.Tensor>,
  indices?: number
): Graph.Graph => {
  const names = new Map<tf.Tensor, string>([[x, "input"]])
  const taken = new Set<string>(["input"])
  const shapes: Record<string, ReadonlyArray<number>> = { input: [...x.shape] }
  const nodes: Array<Graph.Node> = []
  const unique = (name: string, n = 1): string => {
    const candidate = n === 1 ? name : `${name}_${n}`
    return taken.has(candidate) ? unique(name, n + 1) : candidate
  }
  for (const call of calls) {
    const { layer, path, inputs, uses, outputs } = call
    const {
      form,
      kind,
      formless = "what it computes is not known as data; replace it by layers that have a form"
    } = layer
    if (form === undefined) throw refusal(target, call, formless)
    const nameOf = (tensor: tf.Tensor): string => {
      const name = names.get(tensor)
      if (name === undefined)
        throw refusal(target, call, "its input is computed between the layers of the model; make a layer of that")
      return name
    }
    const add: Add = (operation, from, to, label) => {
      const name = unique(label === "" ? path || kind : `${path || kind}.${label}`)
      taken.add(name)
      names.set(to, name)
      shapes[name] = [...to.shape]
      nodes.push({ layer: path, kind, operation, inputs: from, output: name })
      return name
    }
    if (form.op === "alignScales") {
      aligned(target, call, nameOf, add)
      continue
    }
    const [output, ...others] = outputs
    if (output === undefined || others.length > 0) throw refusal(target, call, "it answers several values")
    const quantize = (use: Use, from: string): string =>
      add(quantizing(target, call, use), [from], use.result.value, use.proxy.slot)
    const own = Object.values(ownOf(call))
    const running = uses.filter((use) => !own.includes(use.x))
    // what is quantized before the layer's own work; each input is known by its latest form
    const latest = new Map(inputs.map((tensor) => [tensor, tensor]))
    const before = running.filter((use) => {
      const origin = [...latest].find(([input, now]) => input === use.x || now === use.x)?.[0]
      if (origin === undefined) return false
      quantize(use, nameOf(use.x))
      latest.set(origin, use.result.value)
      return true
    })
    const operation = operationOf(target, call, form)
    const given = inputs.map((tensor) => nameOf(latest.get(tensor) as tf.Tensor))
    const rest = running.filter((use) => !before.includes(use))
    const first = rest[0]
    const worked =
      operation === undefined ? (given[0] as string) : add(operation, given, first === undefined ? output : first.x, "")
    const onto = form.op === "resizeLinear" ? ontoGrid(call.given) : undefined
    const done = onto === undefined ? worked : add(onto, [worked], output, "grid")
    const end = rest.reduce((from, use) => quantize(use, from), done)
    names.set(output, end)
    shapes[end] ??= [...output.shape]
  }
  const [y, ...others] = ys
  const output = y === undefined ? undefined : names.get(y)
  if (output === undefined || others.length > 0)
    throw new NotExportable({
      target,
      layer: "",
      kind: "the model",
      reason: "it must answer one value, and one that a layer made"
    })
  return { input: "input", ...(indices !== undefined && { indices }), output, nodes, shapes }
}

// ---- comparing ----------------------------------------------------------------------------------------------

const numbersIn = (operation: Graph.Operation): ReadonlyArray<Graph.Numbers> => {
  const ofGrid = (grid: Graph.Grid): ReadonlyArray<Graph.Numbers> =>
    grid.kind === "integer" ? [grid.scale, grid.zeroPoint] : [grid.scale]
  const ofConstant = (constant: Graph.Constant | undefined): ReadonlyArray<Graph.Numbers> =>
    constant?.quantized === undefined ? [] : ofGrid(constant.quantized.grid)
  switch (operation.op) {
    case "quantize":
      return ofGrid(operation.grid)
    case "truncate":
      return [...ofGrid(operation.from), ...ofGrid(operation.grid)]
    case "gather":
      return ofConstant(operation.weight)
    case "linear":
    case "scaleBias":
    case "conv":
    case "convTranspose":
      return [...ofConstant(operation.weight), ...ofConstant(operation.bias)]
    default:
      return []
  }
}

const areSame = (a: Graph.Numbers, b: Graph.Numbers | undefined): boolean =>
  b !== undefined && a.data.length === b.data.length && a.data.every((x, i) => Object.is(x, b.data[i]))

/** The first node of a graph that is another one in a second run. */
export const differing = (graph: Graph.Graph, other: Graph.Graph): Graph.Node | undefined =>
  graph.nodes.find((node, i) => {
    const twin = other.nodes[i]
    if (twin === undefined || twin.output !== node.output || twin.operation.op !== node.operation.op) return true
    const [mine, theirs] = [numbersIn(node.operation), numbersIn(twin.operation)]
    return !mine.every((numbers, k) => areSame(numbers, theirs[k]))
  })
