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

/** An operator that rounds: where each element lies in whole numbers, and what those mean. */
export interface Rounding {
  readonly shape: ReadonlyArray<number>
  /** the element in steps, before it is rounded */
  readonly position: At
  readonly mode: Mode
  /** what becomes of an element that goes to this whole number */
  readonly value: (i: number, q: number) => number
}

const rounds = { nearest: GraphConstants.roundEven, floor: Math.floor, ceil: Math.ceil, toZero: Math.trunc } as const

type Mode = keyof typeof rounds

const modes: Readonly<Record<string, Mode>> = { ROUND: "nearest", FLOOR: "floor", CEIL: "ceil", DOWN: "toZero" }

const modeOf = (node: OnnxModel.Node): Mode => {
  const mode = modes[text(node, "rounding_mode")]
  if (mode === undefined) throw new Error(`${node.opType} rounds by "${text(node, "rounding_mode")}"`)
  return mode
}

/** All elements, rounded as the operator says. */
const rounded = ({ shape, position, mode, value }: Rounding): Values => {
  const round = rounds[mode]
  const data = new Float64Array(Arrays.product(shape))
  for (let i = 0; i < data.length; i++) data[i] = Math.fround(value(i, round(position(i))))
  return { shape, data }
}

/** The ends of the integers that a node's attributes and so many bits say. */
const bounds = (node: OnnxModel.Node, bits: number): readonly [number, number] =>
  Graph.boundsOf({ bits, signed: int(node, "signed", 1) === 1, narrow: int(node, "narrow", 0) === 1 })

export const clamped = (x: number, [low, high]: readonly [number, number]): number => Math.min(Math.max(x, low), high)

/** The number of an input that is spread over a value, at each place of that. */
const spread = (node: OnnxModel.Node, inputs: Inputs, input: number, { shape }: Values): At => {
  const numbers = given(node, inputs, input)
  const at = Arrays.spreadOver(numbers, shape)
  return (i) => numbers.data[at(i)] as number
}

type Read = (node: OnnxModel.Node, inputs: Inputs) => Rounding

const quant: Read = (node, inputs) => {
  const x = given(node, inputs, 0)
  const [s, z] = [spread(node, inputs, 1, x), spread(node, inputs, 2, x)]
  const ends = bounds(node, number(node, inputs, 3))
  return {
    shape: x.shape,
    position: (i) => Math.fround(Math.fround((x.data[i] as number) / s(i)) + z(i)),
    mode: modeOf(node),
    value: (i, q) => (clamped(q, ends) - z(i)) * s(i)
  }
}

const trunc: Read = (node, inputs) => {
  const x = given(node, inputs, 0)
  const [from, z, s] = [spread(node, inputs, 1, x), spread(node, inputs, 2, x), spread(node, inputs, 4, x)]
  const ends = bounds(node, number(node, inputs, 5))
  return {
    shape: x.shape,
    position: (i) => GraphConstants.roundEven((x.data[i] as number) / from(i) + z(i)) / (s(i) / from(i)),
    mode: modeOf(node),
    value: (i, q) => (clamped(q, ends) - z(i)) * s(i)
  }
}

/** Signs, 0 being positive: whole numbers below 0, or not. */
const bipolar: Read = (node, inputs) => {
  const x = given(node, inputs, 0)
  const s = spread(node, inputs, 1, x)
  return {
    shape: x.shape,
    position: (i) => (x.data[i] as number) / s(i),
    mode: "floor",
    value: (i, q) => (q >= 0 ? s(i) : -s(i))
  }
}

/** The exponent of a number in size; of 0 the least one. */
const exponentOf = (x: number): number => {
  const guess = Math.floor(Math.log2(Math.abs(x)))
  // a logarithm of floats may be one off beside a power of two
  if (2 ** (guess + 1) <= Math.abs(x)) return guess + 1
  return 2 ** guess > Math.abs(x) ? guess - 1 : guess
}

/**
 * Minifloats: the step is that of the binade in which an element lies, or that of the subnormals; beyond the largest value it is that,
 * or, where the format does not saturate, infinite, or NaN.
 */
const floatQuant: Read = (node, inputs) => {
  const x = given(node, inputs, 0)
  const s = spread(node, inputs, 1, x)
  const [exponentBits, mantissaBits, bias] = [2, 3, 4].map((at) => number(node, inputs, at)) as [number, number, number]
  const all = (2 - 2 ** -mantissaBits) * 2 ** (2 ** exponentBits - 1 - bias)
  const largest = inputs[5] === undefined ? all : Math.min(all, number(node, inputs, 5))
  const has = (name: string): boolean => int(node, name, 0) === 1
  const beyond = int(node, "saturation", 1) === 1 ? largest : has("has_inf") ? Number.POSITIVE_INFINITY : Number.NaN
  const scaled: At = (i) => Math.fround((x.data[i] as number) / s(i))
  const step: At = (i) => 2 ** (Math.max(exponentOf(scaled(i)), 1 - bias) - mantissaBits)
  return {
    shape: x.shape,
    position: (i) => scaled(i) / step(i),
    mode: modeOf(node),
    value: (i, q) => {
      const y = Number.isFinite(q) ? q * step(i) : q
      const kept = Math.abs(y) > largest ? Math.sign(y) * beyond : y
      return kept * s(i)
    }
  }
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

const quantizeLinear: Read = (node, inputs) => {
  const { x, s, z, sAt, zAt } = linearOf(node, inputs)
  const { type = "uint8" } = given(node, inputs, 2)
  if (type === "float32" || type === "int64")
    throw new Error(`QuantizeLinear "${node.name}" has a zero-point of ${type}`)
  return {
    shape: x.shape,
    position: (i) => Math.fround((x.data[i] as number) / (s.data[sAt(i)] as number)),
    mode: "nearest",
    value: (i, q) => clamped(q + (z.data[zAt(i)] as number), integerRanges[type])
  }
}

/** The operators that round, of the standard and of QONNX. */
const roundings: Readonly<Record<string, Read>> = {
  QuantizeLinear: quantizeLinear,
  Quant: quant,
  Trunc: trunc,
  BipolarQuant: bipolar,
  FloatQuant: floatQuant
}

/** How a node rounds; undefined: it does not. */
export const roundingOf = (node: OnnxModel.Node, inputs: Inputs): Rounding | undefined =>
  Object.hasOwn(roundings, node.opType) ? roundings[node.opType]?.(node, inputs) : undefined

/** A node that rounds, as it says. */
export const quantized: Compute = (node, inputs) => rounded(roundingOf(node, inputs) as Rounding)

export const dequantizeLinear: Compute = (node, inputs) => {
  const { x, s, z, sAt, zAt } = linearOf(node, inputs)
  return Arrays.mapped(x, (q, i) => (q - (z.data[zAt(i)] as number)) * (s.data[sAt(i)] as number))
}
