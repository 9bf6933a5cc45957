/**
 * The nodes of a graph, from the calls of a trace.
 *
 * Room: exchange (level 5). Imports: tfjs, `core`, `nn`, `op`, `tensor`, `./Graph.ts`, `./TraceQuant.ts`.
 * Laws: test/exchange/Trace.test.ts.
 */
import type * as tf from "@tensorflow/tfjs-core"
import type { Call, Use } from "../nn/Calls.ts"
import type { Form, Windows } from "../nn/Form.ts"
import * as Layer from "../nn/Layer.ts"
import * as Window from "../op/Window.ts"
import { NotExportable } from "../tensor/Errors.ts"
import * as Host from "../tensor/Host.ts"
import type * as Graph from "./Graph.ts"
import * as TraceQuant from "./TraceQuant.ts"

const refusal = (target: string, { path, layer }: Call, reason: string): NotExportable =>
  new NotExportable({ target, layer: path, kind: layer.kind, reason })

// ---- geometry -----------------------------------------------------------------------------------------------

/** Windows in numbers, for an image of these sizes. */
const lieOf = (
  { strides, dilations, pad }: Windows,
  kernel: ReadonlyArray<number>,
  image: ReadonlyArray<number>
): Graph.Lie => ({
  kernel,
  strides,
  dilations,
  pads: kernel.map((size, i) => {
    const at = pad === "same" || pad === "valid" ? pad : ([[0, 0], pad[i] ?? [0, 0]] as const)
    const lie = { strides: [1, strides[i] ?? 1], dilations: [1, dilations[i] ?? 1], pad: at } as const
    const { before, after } = Window.geometry([1, image[i] ?? 1], [1, size], lie).columns
    return [before, after]
  })
})

// ---- parameters ---------------------------------------------------------------------------------------------

/** The state of a layer itself: what it has learned, and averages. */
const ownOf = ({ layer, states }: Call): Readonly<Record<string, tf.Tensor>> => {
  const cell = layer.cells.find(([name]) => name === "")?.[1]
  if (cell === undefined) return {}
  const { parameters, memory } = Layer.stateOf(states, cell)
  return { ...parameters, ...memory } as Readonly<Record<string, tf.Tensor>>
}

const gridOf = (target: string, call: Call, use: Use): Graph.Grid => {
  const grid = TraceQuant.gridOf(use)
  const name = use.proxy.injector.name || `the ${use.proxy.slot} quantizer`
  if (typeof grid === "string") throw refusal(target, call, `${name}: ${grid}`)
  return grid
}

const constantOf = (target: string, call: Call, tensor: tf.Tensor, use: Use | undefined): Graph.Constant => ({
  raw: TraceQuant.numbersOf(tensor),
  ...(use !== undefined && {
    quantized: { value: TraceQuant.numbersOf(use.result.value), grid: gridOf(target, call, use) }
  })
})

// ---- operations ---------------------------------------------------------------------------------------------

/** What a layer does between its quantizers; undefined: it hands on what it gets. */
const operationOf = (target: string, call: Call, form: Form): Graph.Operation | undefined => {
  const own = ownOf(call)
  const constant = (name: string): Graph.Constant | undefined => {
    const tensor = own[name]
    if (tensor === undefined) return undefined
    return constantOf(
      target,
      call,
      tensor,
      call.uses.find(({ x }) => x === tensor)
    )
  }
  const learned = () => ({ weight: constant("weight") as Graph.Constant, bias: constant("bias") })
  const image = call.inputs[0]?.shape.slice(1, -1) ?? []
  switch (form.op) {
    case "identity":
      return undefined
    case "hardTanh":
      return call.uses.some(({ proxy }) => proxy.slot === "activation")
        ? undefined
        : { op: "clip", low: form.low, high: form.high }
    case "linear":
    case "scaleBias":
      return { op: form.op, ...learned() }
    case "conv": {
      const both = learned()
      return { op: "conv", ...both, groups: form.groups, lie: lieOf(form, both.weight.raw.shape.slice(0, -2), image) }
    }
    case "convTranspose": {
      const both = learned()
      const { groups, outputPadding } = form
      const lie = lieOf(form, both.weight.raw.shape.slice(0, -2), image)
      return { op: "convTranspose", ...both, groups, outputPadding, lie }
    }
    case "maxPool":
    case "averagePool":
      return { op: form.op, lie: lieOf(form, form.size, image) }
    case "concat": {
      const rank = call.inputs[0]?.rank ?? 0
      return { op: "concat", axis: form.axis < 0 ? form.axis + rank : form.axis }
    }
    case "batchNorm": {
      const number = (name: string): Graph.Numbers => TraceQuant.numbersOf(own[name] as tf.Tensor)
      const learned = { weight: number("weight"), bias: number("bias") }
      const { epsilon, over } = form
      return { op: "batchNorm", over, epsilon, ...learned, mean: number("runningMean"), variance: number("runningVar") }
    }
    case "affine":
      return form
    case "layerNorm":
      throw refusal(target, call, "a layer normalization has no counterpart in the files yet")
    default:
      return { op: form.op }
  }
}

/** What a quantizer of what runs through does. */
const quantizing = (target: string, call: Call, use: Use): Graph.Operation => {
  const grid = gridOf(target, call, use)
  const { scale, zeroPoint, bitWidth, signed = true } = use.external
  if (use.quantizer.needs?.includes("scale") === true) {
    if (grid.kind !== "integer" || scale === undefined || zeroPoint === undefined || bitWidth === undefined)
      throw refusal(target, call, "it cuts to something else than integers")
    const bits = Host.floats(bitWidth)[0] ?? 0
    const common = { kind: "integer", signed, narrow: false, rounding: "nearest" } as const
    const numbers = { scale: TraceQuant.numbersOf(scale), zeroPoint: TraceQuant.numbersOf(zeroPoint) }
    return { op: "truncate", from: { ...common, ...numbers, bits }, grid }
  }
  if (!TraceQuant.isExplained(use, grid)) {
    const name = use.proxy.injector.name || `the ${use.proxy.slot} quantizer`
    throw refusal(target, call, `${name} does something else than rounding to its grid and clamping`)
  }
  return { op: "quantize", grid }
}

// ---- graphs -------------------------------------------------------------------------------------------------

/** The graph of calls that began with `x` and answered `ys`. */
export const graphOf = (
  target: string,
  x: tf.Tensor,
  calls: ReadonlyArray<Call>,
  ys: ReadonlyArray<tf.Tensor>
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
    const { form, kind } = layer
    if (form === undefined)
      throw refusal(target, call, "what it computes is not known as data; replace it by layers that have a form")
    const [output, ...others] = outputs
    if (output === undefined || others.length > 0) throw refusal(target, call, "it answers several values")
    const nameOf = (tensor: tf.Tensor): string => {
      const name = names.get(tensor)
      if (name === undefined)
        throw refusal(target, call, "its input is computed between the layers of the model; make a layer of that")
      return name
    }
    const add = (operation: Graph.Operation, from: ReadonlyArray<string>, to: tf.Tensor, label: string): string => {
      const name = unique(label === "" ? path || kind : `${path || kind}.${label}`)
      taken.add(name)
      names.set(to, name)
      shapes[name] = [...to.shape]
      nodes.push({ layer: path, kind, operation, inputs: from, output: name })
      return name
    }
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
    const done =
      operation === undefined ? (given[0] as string) : add(operation, given, first === undefined ? output : first.x, "")
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
  return { input: "input", output, nodes, shapes }
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
