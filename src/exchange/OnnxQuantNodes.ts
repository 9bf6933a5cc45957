/**
 * What the operators that quantize compute, on plain arrays: those of QCDQ, and QONNX's own.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts`, `./GraphConstants.ts`, `./OnnxArrays.ts`, `./OnnxAttributes.ts`,
 * `./OnnxModel.ts`. Laws: test/exchange/OnnxEvaluator.test.ts.
 */
import * as Graph from "./Graph.ts"
import * as GraphConstants from "./GraphConstants.ts"
import * as Arrays from "./OnnxArrays.ts"
import { type Compute, given, type Inputs, int, number, text } from "./OnnxAttributes.ts"
import type * as OnnxModel from "./OnnxModel.ts"
import { integerRanges } from "./OnnxModel.ts"

type Values = Arrays.Values
type At = (at: number) => number

const rounds: Readonly<Record<string, (x: number) => number>> = {
  ROUND: GraphConstants.roundEven,
  FLOOR: Math.floor,
  CEIL: Math.ceil,
  DOWN: Math.trunc
}

const roundOf = (node: OnnxModel.Node): ((x: number) => number) => {
  const round = rounds[text(node, "rounding_mode")]
  if (round === undefined) throw new Error(`${node.opType} rounds by "${text(node, "rounding_mode")}"`)
  return round
}

/** The ends of the integers that a node's attributes and so many bits say. */
const bounds = (node: OnnxModel.Node, bits: number): readonly [number, number] =>
  Graph.boundsOf({ bits, signed: int(node, "signed", 1) === 1, narrow: int(node, "narrow", 0) === 1 })

export const clamped = (x: number, [low, high]: readonly [number, number]): number => Math.min(Math.max(x, low), high)

export const quant: Compute = (node, inputs) => {
  const [x, scale, zero] = [given(node, inputs, 0), given(node, inputs, 1), given(node, inputs, 2)]
  const [round, ends] = [roundOf(node), bounds(node, number(node, inputs, 3))]
  const [scaleAt, zeroAt] = [Arrays.spreadOver(scale, x.shape), Arrays.spreadOver(zero, x.shape)]
  return Arrays.mapped(x, (value, i) => {
    const [s, z] = [scale.data[scaleAt(i)] as number, zero.data[zeroAt(i)] as number]
    const q = clamped(round(Math.fround(Math.fround(value / s) + z)), ends)
    return (q - z) * s
  })
}

export const trunc: Compute = (node, inputs) => {
  const x = given(node, inputs, 0)
  const [fromScale, zero, scale] = [given(node, inputs, 1), given(node, inputs, 2), given(node, inputs, 4)]
  const [round, ends] = [roundOf(node), bounds(node, number(node, inputs, 5))]
  const [fromAt, zeroAt, at] = [fromScale, zero, scale].map((one) => Arrays.spreadOver(one, x.shape)) as [At, At, At]
  return Arrays.mapped(x, (value, i) => {
    const [from, z, s] = [fromScale.data[fromAt(i)], zero.data[zeroAt(i)], scale.data[at(i)]] as [
      number,
      number,
      number
    ]
    const whole = GraphConstants.roundEven(value / from + z)
    return (clamped(round(whole / (s / from)), ends) - z) * s
  })
}

/** Scale and zero-point of QuantizeLinear and DequantizeLinear beside a value. */
const linearOf = (node: OnnxModel.Node, inputs: Inputs) => {
  const [x, scale, zero] = [given(node, inputs, 0), given(node, inputs, 1), given(node, inputs, 2)]
  const rank = x.shape.length
  const axis = (int(node, "axis", 1) + rank) % Math.max(rank, 1)
  const sized = (values: Values): Values => (values.data.length === 1 ? values : Arrays.along(values, axis, rank))
  const [s, z] = [sized(scale), sized(zero)]
  return { x, s, z, sAt: Arrays.spreadOver(s, x.shape), zAt: Arrays.spreadOver(z, x.shape) }
}

export const quantizeLinear: Compute = (node, inputs) => {
  const { x, s, z, sAt, zAt } = linearOf(node, inputs)
  const { type = "uint8" } = given(node, inputs, 2)
  if (type === "float32" || type === "int64")
    throw new Error(`QuantizeLinear "${node.name}" has a zero-point of ${type}`)
  return Arrays.mapped(x, (value, i) => {
    const q = GraphConstants.roundEven(Math.fround(value / (s.data[sAt(i)] as number)))
    return clamped(q + (z.data[zAt(i)] as number), integerRanges[type])
  })
}

export const dequantizeLinear: Compute = (node, inputs) => {
  const { x, s, z, sAt, zAt } = linearOf(node, inputs)
  return Arrays.mapped(x, (q, i) => (q - (z.data[zAt(i)] as number)) * (s.data[sAt(i)] as number))
}
