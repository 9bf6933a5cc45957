/**
 * From a graph to a network of integers: weights and biases become integers, activations are rescaled from grid to grid, and the
 * bounds of every sum are known before anything runs.
 *
 * Room: exchange (level 5). Imports: `tensor`, `./Graph.ts`, `./GraphConstants.ts`, `./IntegerBounds.ts`, `./IntegerProgram.ts`.
 * Laws: test/exchange/IntegerNetwork.test.ts.
 */
import { AccumulatorOverflow, NotExportable } from "../tensor/ExportErrors.ts"
import * as Graph from "./Graph.ts"
import * as GraphConstants from "./GraphConstants.ts"
import * as Bounds from "./IntegerBounds.ts"
import type * as Program from "./IntegerProgram.ts"

export interface Options {
  /** the input are whole numbers below this one; default: it is floats */
  readonly indices?: number
  /** signed bits of an accumulator; default: 32 */
  readonly accumulatorBits?: number
  /** what becomes of a bias off the grid of its layer's sums: refused, or put to the nearest integer; default: "refuse" */
  readonly biases?: "refuse" | "round"
}

export const target = "an integer network"

const refusal = ({ layer, kind }: Graph.Node, reason: string): NotExportable =>
  new NotExportable({ target, layer, kind, reason })

// ---- meanings -----------------------------------------------------------------------------------------------

/** The scales and the one zero-point of a grid, for values whose last axis is that of channels. */
const meaningOf = (node: Graph.Node, grid: Graph.Grid, rank: number): Program.Meaning => {
  if (grid.kind === "minifloat") throw refusal(node, "its values are minifloats; use a quantizer of integers")
  const { scale, zeroPoint, ...whole } = GraphConstants.asIntegers(grid)
  const axis = Graph.axisOf(scale, rank)
  if (axis === "several" || (axis !== undefined && axis !== rank - 1))
    throw refusal(node, "its scales are those of another axis than the channels; use one scale per tensor or channel")
  const [zero = 0, ...others] = zeroPoint.data
  if (!Number.isInteger(zero) || others.some((other) => other !== zero))
    throw refusal(node, "its zero-points are no single whole number; use a quantizer that rounds its zero-point")
  if (!scale.data.every((s) => s > 0 && Number.isFinite(s)))
    throw refusal(node, "a scale is 0 or not finite; train or calibrate the quantizer first")
  const [low, high] = Graph.boundsOf(whole)
  return { scale: Float64Array.from(scale.data), zeroPoint: zero, low, high }
}

/** One scale for all, of what goes into sums. */
const single = (node: Graph.Node, { scale, ...meaning }: Program.Meaning): Program.Meaning => {
  if (scale.length !== 1)
    throw refusal(node, "its input has a scale for each channel, which cannot leave the sum; quantize it per tensor")
  return { ...meaning, scale }
}

// ---- constants ----------------------------------------------------------------------------------------------

/** The weight in integers without their zero-points, and its scale, one for all or one for each output. */
const weightOf = (
  node: Graph.Node,
  constant: Graph.Constant
): { readonly integers: Program.Integers; readonly scale: Float64Array } => {
  const { quantized, raw } = constant
  if (quantized === undefined) throw refusal(node, "its weight is not quantized; give weightQuant")
  if (quantized.grid.kind === "minifloat") throw refusal(node, "its weight is made of minifloats; use integers")
  const grid = GraphConstants.asIntegers(quantized.grid)
  const whole = GraphConstants.integersOf(constant)
  const axis = Graph.axisOf(grid.scale, raw.shape.length)
  if (whole === undefined) throw refusal(node, "its quantized weight does not lie on its grid")
  if (axis === "several" || (axis !== undefined && axis !== raw.shape.length - 1))
    throw refusal(node, "the scales of its weight vary within a sum; use one per tensor or output channel")
  const zeroAt = GraphConstants.spread(grid.zeroPoint, raw.shape)
  const zeros = grid.zeroPoint.data
  if (!zeros.every(Number.isInteger)) throw refusal(node, "the zero-point of its weight is no whole number")
  const data = Int32Array.from(whole, (q, i) => q - (zeros[zeroAt(i)] as number))
  return { integers: { shape: raw.shape, data }, scale: Float64Array.from(grid.scale.data) }
}

/** The bias in units of the sums. */
const biasOf = (
  node: Graph.Node,
  constant: Graph.Constant | undefined,
  sums: Float64Array,
  { biases = "refuse" }: Options
): Float64Array | undefined => {
  if (constant === undefined) return undefined
  const { raw, quantized } = constant
  const unit = (i: number): number => sums[sums.length === 1 ? 0 : i] as number
  const round = biases === "round"
  const helps = 'quantize it to the scale of the sums (biasQuant: Int32Bias), or ask for { biases: "round" }'
  if (quantized === undefined || quantized.grid.kind !== "integer") {
    if (!round) throw refusal(node, `its bias has no integers; ${helps}`)
    const value = quantized?.value ?? raw
    return Float64Array.from(value.data, (b, i) => GraphConstants.roundEven(b / unit(i)) + 0)
  }
  const { grid } = quantized
  const whole = GraphConstants.integersOf(constant)
  if (whole === undefined) throw refusal(node, "its quantized bias does not lie on its grid")
  const [scaleAt, zeroAt] = [
    GraphConstants.spread(grid.scale, raw.shape),
    GraphConstants.spread(grid.zeroPoint, raw.shape)
  ]
  return whole.map((q, i) => {
    const scale = grid.scale.data[scaleAt(i)] as number
    const ratio = scale / unit(i)
    const near = Math.round(ratio)
    const centred = q - (grid.zeroPoint.data[zeroAt(i)] as number)
    // the scale of the products was rounded to float32 when it was told to the bias
    if (near >= 1 && Math.abs(ratio - near) <= near * 2 ** -22) return centred * near
    if (!round) throw refusal(node, `the scale of its bias is no multiple of that of its sums; ${helps}`)
    return GraphConstants.roundEven(centred * ratio) + 0
  })
}

// ---- operations ---------------------------------------------------------------------------------------------

const times = (a: Float64Array, b: Float64Array): Float64Array =>
  Float64Array.from({ length: Math.max(a.length, b.length) }, (_, i) => {
    const [x, y] = [a, b].map((all) => all[all.length === 1 ? 0 : i] as number) as [number, number]
    return x * y
  })

/** The exponents of numbers that are all powers of two. */
const shiftsOf = (multiplier: Float64Array): Int32Array | undefined => {
  const exponents = Int32Array.from(multiplier, (m) => -Math.round(Math.log2(m)))
  return multiplier.every((m, i) => m === 2 ** -(exponents[i] as number)) ? exponents : undefined
}

/** A power of two that was divided in float32, as it was before. */
const wholePower = (x: number): number => {
  const power = 2 ** Math.round(Math.log2(x))
  return Math.abs(x / power - 1) < 2 ** -20 ? power : x
}

interface Lowered {
  readonly operation: Program.Operation
  readonly meaning: Program.Meaning
  readonly accumulator?: Program.Accumulator
}

const accumulatorOf = ({ layer }: Graph.Node, bounds: Bounds.Range): Program.Accumulator => ({
  layer,
  ...bounds,
  bits: Bounds.signedBits(bounds)
})

const rescaling = (
  from: Program.Meaning,
  to: Program.Meaning,
  rounding: Graph.Rounding
): Extract<Program.Operation, { op: "rescale" }> => {
  const count = Math.max(from.scale.length, to.scale.length)
  const pick = ({ scale }: Program.Meaning, i: number): number => scale[scale.length === 1 ? 0 : i] as number
  const multiplier = Float64Array.from({ length: count }, (_, i) => pick(from, i) / pick(to, i))
  const { low, high } = to
  const zeros = { zeroPoint: from.zeroPoint, newZeroPoint: to.zeroPoint }
  return { op: "rescale", multiplier, shift: shiftsOf(multiplier), rounding, ...zeros, low, high }
}

const products = (
  node: Graph.Node,
  operation: Extract<Graph.Operation, { op: "linear" | "scaleBias" | "conv" }>,
  x: Program.Meaning,
  options: Options
): Lowered => {
  const input = operation.op === "scaleBias" ? x : single(node, x)
  const { integers: weight, scale } = weightOf(node, operation.weight)
  const sums = times(input.scale, scale)
  const bias = biasOf(node, operation.bias, sums, options)
  const bounds = Bounds.ofProducts(operation.op, weight, bias, input)
  const accumulator = accumulatorOf(node, bounds)
  const learned = {
    weight,
    bias: bias === undefined ? undefined : Int32Array.from(bias),
    inputZeroPoint: input.zeroPoint
  }
  const meaning = { scale: sums, zeroPoint: 0, ...bounds }
  const { op } = operation
  if (op !== "conv") return { operation: { op, ...learned }, meaning, accumulator }
  return { operation: { op, ...learned, groups: operation.groups, lie: operation.lie }, meaning, accumulator }
}

const sameGrid = (a: Program.Meaning, b: Program.Meaning): boolean =>
  a.scale.length === b.scale.length && a.scale.every((s, i) => s === b.scale[i])

/** What a node does to values of these meanings. */
const lowered = (node: Graph.Node, inputs: ReadonlyArray<Program.Meaning>, rank: number, options: Options): Lowered => {
  const { operation } = node
  const x = inputs[0] as Program.Meaning
  switch (operation.op) {
    case "quantize": {
      if (operation.grid.kind !== "integer")
        throw refusal(node, "it quantizes to other than integers; use a quantizer of integers")
      if (operation.grid.rounding === "other") throw refusal(node, "it rounds in a way that integers do not know")
      const meaning = meaningOf(node, operation.grid, rank)
      return { operation: rescaling(x, meaning, operation.grid.rounding), meaning }
    }
    case "truncate": {
      const { from, grid } = operation
      if (from.zeroPoint.data.some((z) => z !== 0)) throw refusal(node, "it cuts integers with a zero-point")
      if (grid.rounding === "other") throw refusal(node, "it rounds in a way that integers do not know")
      const meaning = meaningOf(node, grid, rank)
      const cut = meaning.scale.map((s, i) => wholePower((from.scale.data[i] ?? Number.NaN) / s))
      const exact = { ...meaning, scale: x.scale.map((s, i) => s / (cut[cut.length === 1 ? 0 : i] as number)) }
      return { operation: rescaling(x, exact, grid.rounding), meaning: exact }
    }
    case "linear":
    case "scaleBias":
    case "conv":
      return products(node, operation, x, options)
    case "relu": {
      const { zeroPoint, low, high } = x
      const meaning = { ...x, low: Math.max(low, zeroPoint), high: Math.max(high, zeroPoint) }
      return { operation: { op: "relu", zeroPoint }, meaning }
    }
    case "flatten": {
      if (x.scale.length !== 1)
        throw refusal(node, "channels with scales of their own cannot be flattened; quantize before")
      return { operation: { op: "flatten" }, meaning: x }
    }
    case "maxPool":
      return { operation: { op: "maxPool", lie: operation.lie }, meaning: x }
    case "averagePool": {
      const count = operation.lie.kernel.reduce((a, b) => a * b, 1)
      const bounds = Bounds.ofSum(x, count)
      const accumulator = accumulatorOf(node, bounds)
      const meaning = { scale: x.scale.map((s) => s / count), zeroPoint: 0, ...bounds }
      return { operation: { op: "sumPool", lie: operation.lie, zeroPoint: x.zeroPoint }, meaning, accumulator }
    }
    case "add": {
      const y = inputs[1] as Program.Meaning
      if (!sameGrid(x, y))
        throw refusal(node, "its inputs have different scales; let them share a quantizer (inputQuant)")
      const bounds = Bounds.ofSums(x, y)
      return {
        operation: { op: "add", zeroPoints: [x.zeroPoint, y.zeroPoint] },
        meaning: { scale: x.scale, zeroPoint: 0, ...bounds },
        accumulator: accumulatorOf(node, bounds)
      }
    }
    case "concat": {
      if (!inputs.every((other) => x.scale.length === 1 && sameGrid(x, other) && x.zeroPoint === other.zeroPoint))
        throw refusal(node, "its inputs have different scales; let them share a quantizer (inputQuant)")
      const low = Math.min(...inputs.map((one) => one.low))
      const high = Math.max(...inputs.map((one) => one.high))
      return { operation: { op: "concat", axis: operation.axis }, meaning: { ...x, low, high } }
    }
    case "batchNorm":
      throw refusal(node, "its scales are floats; merge it into the layer before it (Normalization.mergeInto)")
    default:
      throw refusal(node, `${operation.op} has no integers; quantize with layers that have`)
  }
}

// ---- networks -----------------------------------------------------------------------------------------------

/** The network of a graph; throws what it refuses. */
export const networkOf = (graph: Graph.Graph, options: Options = {}): Program.IntegerNetwork => {
  const [first, ...rest] = graph.nodes
  if (first?.operation.op !== "quantize" || first.operation.grid.kind !== "integer" || first.inputs[0] !== graph.input)
    throw new NotExportable({
      target,
      layer: first?.layer ?? "",
      kind: first?.kind ?? "the model",
      reason: "its input is not quantized to integers; let it begin with a QuantIdentity or an inputQuant"
    })
  const shapeOf = (name: string): ReadonlyArray<number> => graph.shapes[name] ?? []
  const { grid } = first.operation
  const start = meaningOf(first, grid, shapeOf(first.output).length)
  if (start.scale.length !== 1) throw refusal(first, "its input has a scale for each channel; quantize it per tensor")
  const meanings: Record<string, Program.Meaning> = { [first.output]: start }
  const steps: Array<Program.Step> = []
  const accumulators: Array<Program.Accumulator> = []
  for (const node of rest) {
    const inputs = node.inputs.map((name) => {
      const meaning = meanings[name]
      if (meaning === undefined) throw refusal(node, "its input is not quantized")
      return meaning
    })
    const { operation, meaning, accumulator } = lowered(node, inputs, shapeOf(node.output).length, options)
    meanings[node.output] = meaning
    steps.push({ layer: node.layer, operation, inputs: node.inputs, output: node.output })
    const bits = accumulator?.bits ?? Bounds.signedBits(meaning)
    const available = accumulator === undefined ? 32 : Math.min(options.accumulatorBits ?? 32, 32)
    if (bits > available) throw new AccumulatorOverflow({ layer: node.layer, bits, available })
    if (accumulator !== undefined) accumulators.push(accumulator)
  }
  return {
    input: { name: first.output, shape: shapeOf(graph.input), grid },
    output: { name: graph.output, shape: shapeOf(graph.output), ...(meanings[graph.output] as Program.Meaning) },
    steps,
    meanings,
    accumulators
  }
}
