/**
 * From a graph to a network of integers: weights and biases become integers, activations are rescaled from grid to grid, and the
 * bounds of every sum are known before anything runs.
 *
 * Room: exchange (level 5). Imports: `tensor`, `./Graph.ts`, `./GraphConstants.ts`, `./IntegerBounds.ts`, `./IntegerProgram.ts`,
 * `./IntegerResize.ts`, `./IntegerThresholds.ts`, `./IntegerTransposed.ts`.
 * Laws: test/exchange/IntegerNetwork.test.ts.
 */
import { AccumulatorOverflow, NotExportable } from "../tensor/ExportErrors.ts"
import * as Graph from "./Graph.ts"
import * as GraphConstants from "./GraphConstants.ts"
import * as Bounds from "./IntegerBounds.ts"
import type * as Program from "./IntegerProgram.ts"
import * as Resize from "./IntegerResize.ts"
import * as Thresholds from "./IntegerThresholds.ts"
import * as Transposed from "./IntegerTransposed.ts"

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
  constant: Graph.Constant,
  /** of a transposed convolution, whose outputs are the last axis but one, and those of one group */
  groups?: number
): { readonly integers: Program.Integers; readonly scale: Float64Array } => {
  const { quantized, raw } = constant
  if (quantized === undefined) throw refusal(node, "its weight is not quantized; give weightQuant")
  if (quantized.grid.kind === "minifloat") throw refusal(node, "its weight is made of minifloats; use integers")
  const grid = GraphConstants.asIntegers(quantized.grid)
  const whole = GraphConstants.integersOf(constant)
  const axis = Graph.axisOf(grid.scale, raw.shape.length)
  if (whole === undefined) throw refusal(node, "its quantized weight does not lie on its grid")
  const outputs = raw.shape.length - (groups === undefined ? 1 : 2)
  if (axis === "several" || (axis !== undefined && axis !== outputs))
    throw refusal(node, "the scales of its weight vary within a sum; use one per tensor or output channel")
  const zeroAt = GraphConstants.spread(grid.zeroPoint, raw.shape)
  const zeros = grid.zeroPoint.data
  if (!zeros.every(Number.isInteger)) throw refusal(node, "the zero-point of its weight is no whole number")
  const data = Int32Array.from(whole, (q, i) => q - (zeros[zeroAt(i)] as number))
  const scales = grid.scale.data
  const all = axis === undefined ? [scales] : Array.from({ length: groups ?? 1 }, () => scales)
  return { integers: { shape: raw.shape, data }, scale: Float64Array.from(all.flatMap((some) => [...some])) }
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

/** Levels of a grid that comparisons decide: as many as 8 bits have. */
const mostLevels = 256

/** Integers through functions of floats to a grid, as comparisons. */
const comparing = (
  node: Graph.Node,
  grid: Graph.Grid,
  x: Program.Meaning,
  between: ReadonlyArray<Program.Stage>,
  rank: number
): Lowered => {
  if (grid.kind !== "integer" && grid.kind !== "binary")
    throw refusal(node, `it quantizes to ${grid.kind} values; use integers or signs`)
  const meaning = meaningOf(node, grid, rank)
  const isSign = grid.kind === "binary"
  const rounding = isSign ? "floor" : grid.rounding
  if (rounding === "other") throw refusal(node, "it rounds in a way that integers do not know")
  const whole = isSign
    ? { low: -1, high: 0, step: 2, base: 1 }
    : { low: meaning.low, high: meaning.high, step: 1, base: 0 }
  if (whole.high - whole.low >= mostLevels)
    throw refusal(
      node,
      "it has more than 8 bits after a normalization; merge that into the layer before it (Normalization.mergeInto)"
    )
  const onto = {
    op: "affine",
    factor: meaning.scale.map((s) => 1 / s),
    offset: Float64Array.of(isSign ? 0 : meaning.zeroPoint)
  } as const
  const stages = [Thresholds.meant(x), ...between, onto]
  const made = Thresholds.make({ ...whole, rounding, stages }, x)
  if (made === undefined)
    throw refusal(node, "what lies between it and the sums is not finite; train the network first")
  return { operation: { op: "thresholds", ...made }, meaning }
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
  operation: Extract<Graph.Operation, { op: "linear" | "scaleBias" | "conv" | "convTranspose" }>,
  x: Program.Meaning,
  options: Options
): Lowered => {
  const input = operation.op === "scaleBias" ? x : single(node, x)
  const isTransposed = operation.op === "convTranspose"
  const { integers: weight, scale } = weightOf(node, operation.weight, isTransposed ? operation.groups : undefined)
  const sums = times(input.scale, scale)
  const bias = biasOf(node, operation.bias, sums, options)
  const bounds = isTransposed
    ? Transposed.bounds({ ...operation, weight, bias }, input)
    : Bounds.ofProducts(operation.op, weight, bias, input)
  const accumulator = accumulatorOf(node, bounds)
  const learned = {
    weight,
    bias: bias === undefined ? undefined : Int32Array.from(bias),
    inputZeroPoint: input.zeroPoint
  }
  const meaning = { scale: sums, zeroPoint: 0, ...bounds }
  switch (operation.op) {
    case "conv":
    case "convTranspose": {
      const { weight: _weight, bias: _bias, ...windows } = operation
      return { operation: { ...windows, ...learned }, meaning, accumulator }
    }
    default:
      return { operation: { op: operation.op, ...learned }, meaning, accumulator }
  }
}

const sameGrid = (a: Program.Meaning, b: Program.Meaning): boolean =>
  a.scale.length === b.scale.length && a.scale.every((s, i) => s === b.scale[i])

/** What a node does to values of these meanings. */
const lowered = (node: Graph.Node, inputs: ReadonlyArray<Program.Meaning>, rank: number, options: Options): Lowered => {
  const { operation } = node
  const x = inputs[0] as Program.Meaning
  switch (operation.op) {
    case "quantize": {
      if (operation.grid.kind !== "integer") return comparing(node, operation.grid, x, [], rank)
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
    case "convTranspose":
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
    case "resizeNearest":
      return { operation, meaning: x }
    case "resizeLinear": {
      const parts = Resize.denominators(operation.to, operation.alignCorners)
      const bounds = Bounds.ofSum(x, parts)
      const meaning = { scale: x.scale.map((s) => s / parts), zeroPoint: 0, ...bounds }
      return { operation: { ...operation, zeroPoint: x.zeroPoint }, meaning, accumulator: accumulatorOf(node, bounds) }
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
    default:
      throw refusal(node, `${operation.op} has no integers; quantize with layers that have`)
  }
}

// ---- networks -----------------------------------------------------------------------------------------------

/** A value that is no integers yet: what is done to the integers of another one. */
interface Pending {
  readonly source: string
  readonly stages: ReadonlyArray<Program.Stage>
}

/** What stands before the first quantizer: functions of single floats, and what only moves values, which comes after it as well. */
const beginningOf = (graph: Graph.Graph) => {
  const at = graph.nodes.findIndex(({ operation }) => operation.op === "quantize")
  const [node, prefix] = [graph.nodes[at], graph.nodes.slice(0, Math.max(at, 0))]
  const isChain = [...prefix, node].every(
    (one, i) => one?.inputs[0] === (i === 0 ? graph.input : (prefix[i - 1] as Graph.Node).output)
  )
  const before = prefix.flatMap(({ operation }) => (operation.op === "affine" ? [operation] : []))
  const moves = prefix.filter(({ operation }) => operation.op === "flatten")
  const grid = node?.operation.op === "quantize" ? node.operation.grid : undefined
  const isKnown = grid?.kind === "integer" || grid?.kind === "binary"
  if (node === undefined || !isKnown || !isChain || before.length + moves.length < prefix.length) {
    const first = graph.nodes[0]
    throw new NotExportable({
      target,
      layer: first?.layer ?? "",
      kind: first?.kind ?? "the model",
      reason: "its input is not quantized to integers; let it begin with a QuantIdentity or an inputQuant"
    })
  }
  const name = moves.length === 0 ? node.output : graph.input
  const steps = moves.map(
    (move, i): Program.Step => ({
      layer: move.layer,
      operation: { op: "flatten" },
      inputs: [i === 0 ? name : (moves[i - 1] as Graph.Node).output],
      output: i === moves.length - 1 ? node.output : move.output
    })
  )
  const done = before.map(({ factor, offset }) => ({ factor, offset }))
  return { node, grid, name, steps, before: done, rest: graph.nodes.slice(at + 1) }
}

/** What a network answers: the grid of its last integers, seen through what is done to them. */
const ending = (node: Graph.Node, meaning: Program.Meaning, stages: ReadonlyArray<Program.Stage>): Program.Meaning => {
  const all = Thresholds.joined([Thresholds.meant(meaning), ...stages])
  if (all === undefined) throw refusal(node, `${node.operation.op} has no integers; quantize what it answers`)
  const { factor, offset } = all
  if (![...factor, ...offset].every(Number.isFinite) || factor.includes(0))
    throw refusal(node, "a channel of its answer is constant, or not finite; train the network first")
  return { scale: factor, offset, zeroPoint: 0, low: meaning.low, high: meaning.high }
}

/** The network of a graph; throws what it refuses. */
export const networkOf = (graph: Graph.Graph, options: Options = {}): Program.IntegerNetwork => {
  const shapeOf = (name: string): ReadonlyArray<number> => graph.shapes[name] ?? []
  const { node: first, grid, name, steps: moves, before, rest } = beginningOf(graph)
  const start = meaningOf(first, grid, shapeOf(first.output).length)
  if (start.scale.length !== 1) throw refusal(first, "its input has a scale for each channel; quantize it per tensor")
  const meanings: Record<string, Program.Meaning> = { [name]: start, [first.output]: start }
  for (const { output } of moves) meanings[output] = start
  const pending: Record<string, Pending> = {}
  const steps: Array<Program.Step> = [...moves]
  const accumulators: Array<Program.Accumulator> = []
  const emit = (
    node: Graph.Node,
    inputs: ReadonlyArray<string>,
    { operation, meaning, accumulator }: Lowered
  ): void => {
    meanings[node.output] = meaning
    steps.push({ layer: node.layer, operation, inputs, output: node.output })
    const bits = accumulator?.bits ?? Bounds.signedBits(meaning)
    const available = accumulator === undefined ? 32 : Math.min(options.accumulatorBits ?? 32, 32)
    if (bits > available) throw new AccumulatorOverflow({ layer: node.layer, bits, available })
    if (accumulator !== undefined) accumulators.push(accumulator)
  }
  for (const node of rest) {
    const [input = ""] = node.inputs
    const { operation } = node
    const waiting = pending[input]
    const rank = shapeOf(node.output).length
    const source = waiting?.source ?? input
    const from = meanings[source]
    const stage = Thresholds.stageOf(operation)
    // a rectifier has integers of its own
    if (from !== undefined && stage !== undefined && (waiting !== undefined || operation.op !== "relu")) {
      pending[node.output] = { source, stages: [...(waiting?.stages ?? []), stage] }
      continue
    }
    if (waiting !== undefined && from !== undefined && operation.op === "quantize") {
      emit(node, [source], comparing(node, operation.grid, from, waiting.stages, rank))
      continue
    }
    const inputs = node.inputs.map((one) => {
      const meaning = meanings[one]
      if (meaning !== undefined) return meaning
      const maker = graph.nodes.find(({ output }) => output === one)
      const why =
        pending[one] === undefined || maker === undefined
          ? ""
          : `: what ${maker.layer || maker.kind} answers are floats; let a quantizer follow that`
      throw refusal(node, `its input is not quantized${why}`)
    })
    emit(node, node.inputs, lowered(node, inputs, rank, options))
  }
  const last = pending[graph.output]
  const meaning =
    last === undefined
      ? (meanings[graph.output] as Program.Meaning)
      : ending(rest.at(-1) as Graph.Node, meanings[last.source] as Program.Meaning, last.stages)
  return {
    input: { name, shape: shapeOf(graph.input), grid, ...(before.length > 0 && { before }) },
    output: { name: last?.source ?? graph.output, shape: shapeOf(graph.output), ...meaning },
    steps,
    meanings,
    accumulators
  }
}
