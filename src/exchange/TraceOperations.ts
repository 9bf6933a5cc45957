/**
 * What one call of a layer does, as operations of a graph.
 *
 * Room: exchange (level 5). Imports: tfjs, `core`, `nn`, `op`, `tensor`, `./Graph.ts`, `./TraceQuant.ts`.
 * Laws: test/exchange/Trace.test.ts.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as QuantTensor from "../core/QuantTensor.ts"
import type { Call, Use } from "../nn/Calls.ts"
import type { Form, Windows } from "../nn/Form.ts"
import * as Layer from "../nn/Layer.ts"
import * as Window from "../op/Window.ts"
import { NotExportable } from "../tensor/ExportErrors.ts"
import * as Host from "../tensor/Host.ts"
import type * as Graph from "./Graph.ts"
import * as TraceQuant from "./TraceQuant.ts"

export const refusal = (target: string, { path, layer }: Call, reason: string): NotExportable =>
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

const sizeOf = (x: tf.Tensor | undefined): Graph.Size => [x?.shape[1] ?? 0, x?.shape[2] ?? 0]

/** Averages over parts: a pool where all of them are as large. */
const averages = (from: Graph.Size, to: Graph.Size): Graph.Operation => {
  const kernel = from.map((size, i) => size / (to[i] as number))
  if (!kernel.every(Number.isInteger)) return { op: "averages", from, to }
  return { op: "averagePool", lie: { kernel, strides: kernel, dilations: [1, 1], pads: kernel.map(() => [0, 0]) } }
}

// ---- parameters ---------------------------------------------------------------------------------------------

/** The state of a layer itself: what it has learned, and averages. */
export const ownOf = ({ layer, states }: Call): Readonly<Record<string, tf.Tensor>> => {
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
export const operationOf = (target: string, call: Call, form: Form): Graph.Operation | undefined => {
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
  const number = (name: string): Graph.Numbers => TraceQuant.numbersOf(own[name] as tf.Tensor)
  const image = call.inputs[0]?.shape.slice(1, -1) ?? []
  const resized = () => ({ from: sizeOf(call.inputs[0]), to: sizeOf(call.outputs[0]) })
  switch (form.op) {
    case "identity":
    case "alignScales":
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
    case "averages":
      return averages(sizeOf(call.inputs[0]), form.size)
    case "concat": {
      const rank = call.inputs[0]?.rank ?? 0
      return { op: "concat", axis: form.axis < 0 ? form.axis + rank : form.axis }
    }
    case "resizeNearest":
      return { op: "resizeNearest", ...resized() }
    case "resizeLinear":
      return { op: "resizeLinear", ...resized(), alignCorners: form.alignCorners }
    case "gather":
      return { op: "gather", weight: constant("weight") as Graph.Constant }
    case "batchNorm": {
      const learned = { weight: number("weight"), bias: number("bias") }
      const { epsilon, over } = form
      return { op: "batchNorm", over, epsilon, ...learned, mean: number("runningMean"), variance: number("runningVar") }
    }
    case "layerNorm": {
      const { epsilon, centered } = form
      return {
        op: "layerNorm",
        epsilon,
        centered,
        weight: number("weight"),
        bias: centered ? number("bias") : undefined
      }
    }
    case "affine":
      return form
    default:
      return { op: form.op }
  }
}

/** What a quantizer of what runs through does. */
export const quantizing = (target: string, call: Call, use: Use): Graph.Operation => {
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

/** Back to the grid that quantized values came with; undefined: the layer was given none. */
export const ontoGrid = (given: unknown): Graph.Operation | undefined => {
  const x = given as QuantTensor.Value
  if (!QuantTensor.isQuantTensor(x) || !QuantTensor.isIntegral(x)) return undefined
  const { scale, zeroPoint, bitWidth, signed } = x
  const [numbers, zero] = [TraceQuant.numbersOf(scale), TraceQuant.numbersOf(zeroPoint)]
  const bits = Host.floats(bitWidth)[0] ?? 0
  const isBinary = signed && bits === 1
  if (isBinary) return { op: "quantize", grid: { kind: "binary", scale: numbers } }
  const whole = { bits, signed, narrow: false, rounding: "nearest" } as const
  return { op: "quantize", grid: { kind: "integer", scale: numbers, zeroPoint: zero, ...whole } }
}
