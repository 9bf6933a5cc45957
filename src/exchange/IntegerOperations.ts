/**
 * What a node of a graph does to integers: products and sums with their bounds, activations from grid to grid.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts`, `./IntegerBounds.ts`, `./IntegerConstants.ts`, `./IntegerGrid.ts`,
 * `./IntegerProgram.ts` types, `./IntegerResize.ts`, `./IntegerThresholds.ts`, `./IntegerTransposed.ts`.
 * Laws: test/exchange/IntegerNetwork.test.ts.
 */
import type * as Graph from "./Graph.ts"
import * as Bounds from "./IntegerBounds.ts"
import * as Constants from "./IntegerConstants.ts"
import { meaningOf, refusal, single } from "./IntegerGrid.ts"
import type * as Program from "./IntegerProgram.ts"
import * as Resize from "./IntegerResize.ts"
import * as Thresholds from "./IntegerThresholds.ts"
import * as Transposed from "./IntegerTransposed.ts"

type Numbers = Float32Array | Float64Array

/** Of two lists, each of one number for all or of one for each channel, what is made of those that belong together. */
const paired = (a: Numbers, b: Numbers, f: (x: number, y: number) => number): Float64Array => {
  const at = (all: Numbers, i: number): number => all[all.length === 1 ? 0 : i] as number
  return Float64Array.from({ length: Math.max(a.length, b.length) }, (_, i) => f(at(a, i), at(b, i)))
}

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

/** What a node becomes, what its integers mean, and the sums in it. */
export interface Lowered {
  readonly operation: Program.Operation
  readonly meaning: Program.Meaning
  readonly accumulator?: Program.Accumulator
}

/** Levels of a grid that comparisons decide: as many as 8 bits have. */
const mostLevels = 256

/** Integers through functions of floats to a grid, as comparisons. */
export const comparing = (
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
  const multiplier = paired(from.scale, to.scale, (a, b) => a / b)
  const { low, high } = to
  const zeros = { zeroPoint: from.zeroPoint, newZeroPoint: to.zeroPoint }
  return { op: "rescale", multiplier, shift: shiftsOf(multiplier), rounding, ...zeros, low, high }
}

const products = (
  node: Graph.Node,
  operation: Extract<Graph.Operation, { op: "linear" | "scaleBias" | "conv" | "convTranspose" }>,
  x: Program.Meaning,
  biases: Constants.Biases
): Lowered => {
  const input = operation.op === "scaleBias" ? x : single(node, x)
  const isTransposed = operation.op === "convTranspose"
  const { integers: weight, scale } = Constants.weightOf(
    node,
    operation.weight,
    isTransposed ? operation.groups : undefined
  )
  const sums = paired(input.scale, scale, (a, b) => a * b)
  const bias = Constants.biasOf(node, operation.bias, sums, biases)
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
export const lowered = (
  node: Graph.Node,
  inputs: ReadonlyArray<Program.Meaning>,
  rank: number,
  biases: Constants.Biases
): Lowered => {
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
      const cut = paired(from.scale.data, meaning.scale, (a, b) => wholePower(a / b))
      const exact = { ...meaning, scale: paired(x.scale, cut, (a, b) => a / b) }
      return { operation: rescaling(x, exact, grid.rounding), meaning: exact }
    }
    case "linear":
    case "scaleBias":
    case "conv":
    case "convTranspose":
      return products(node, operation, x, biases)
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
