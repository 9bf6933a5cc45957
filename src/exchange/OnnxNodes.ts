/**
 * What the operators of exported files compute, on plain arrays, by the descriptions of ONNX and QONNX.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts`, `./GraphConstants.ts`, `./IntegerExecutor.ts`, `./OnnxArrays.ts`, `./OnnxModel.ts`
 * types. Laws: test/exchange/OnnxEvaluator.test.ts.
 */
import * as Graph from "./Graph.ts"
import * as GraphConstants from "./GraphConstants.ts"
import { placesOf, tapsOf } from "./IntegerExecutor.ts"
import * as Arrays from "./OnnxArrays.ts"
import type * as OnnxModel from "./OnnxModel.ts"
import { integerRanges } from "./OnnxModel.ts"

type Values = Arrays.Values
type Compute = (node: OnnxModel.Node, inputs: ReadonlyArray<Values>) => Values

// ---- attributes ---------------------------------------------------------------------------------------------

const find = ({ attribute }: OnnxModel.Node, name: string): OnnxModel.Attribute | undefined =>
  attribute.find((one) => one.name === name)

const int = (node: OnnxModel.Node, name: string, other: number): number => {
  const found = find(node, name)
  return found?.type === "int" ? found.i : other
}
const float = (node: OnnxModel.Node, name: string, other: number): number => {
  const found = find(node, name)
  return found?.type === "float" ? found.f : other
}
const text = (node: OnnxModel.Node, name: string): string => {
  const found = find(node, name)
  return found?.type === "string" ? found.s : ""
}
const ints = (node: OnnxModel.Node, name: string): ReadonlyArray<number> | undefined => {
  const found = find(node, name)
  return found?.type === "ints" ? found.ints : undefined
}

/** An input that has to be there, and the one number of an input. */
const given = (node: OnnxModel.Node, inputs: ReadonlyArray<Values>, at: number): Values => {
  const value = inputs[at]
  if (value === undefined) throw new Error(`${node.opType} "${node.name}" lacks input ${at + 1}`)
  return value
}
const number = (node: OnnxModel.Node, inputs: ReadonlyArray<Values>, at: number): number =>
  given(node, inputs, at).data[0] as number

// ---- windows ------------------------------------------------------------------------------------------------

const lieOf = (node: OnnxModel.Node, kernel: ReadonlyArray<number>): Graph.Lie => {
  const pads = ints(node, "pads") ?? kernel.flatMap(() => [0, 0])
  const ones = kernel.map(() => 1)
  return {
    kernel,
    strides: ints(node, "strides") ?? ones,
    dilations: ints(node, "dilations") ?? ones,
    pads: kernel.map((_, i) => [pads[i] as number, pads[i + kernel.length] as number] as const)
  }
}

const conv: Compute = (node, inputs) => {
  const [x, w, bias] = [given(node, inputs, 0), given(node, inputs, 1), inputs[2]]
  const [n = 0, channels = 0, ...image] = x.shape
  const [outer = 0, inner = 0, ...kernel] = w.shape
  const lie = lieOf(node, kernel)
  const windows = tapsOf(lie, image)
  const [pixels, taps] = [Arrays.product(image), Arrays.product(kernel)]
  const perGroup = outer / int(node, "group", 1)
  const data = new Float64Array(n * outer * windows.length)
  for (let b = 0; b < n; b++)
    for (let o = 0; o < outer; o++)
      for (const [place, window] of windows.entries()) {
        let sum = bias?.data[o] ?? 0
        for (let c = 0; c < inner; c++) {
          const from = (b * channels + Math.floor(o / perGroup) * inner + c) * pixels
          const by = (o * inner + c) * taps
          for (const [tap, pixel] of window) sum += (x.data[from + pixel] as number) * (w.data[by + tap] as number)
        }
        data[(b * outer + o) * windows.length + place] = Math.fround(sum)
      }
  return { shape: [n, outer, ...placesOf(lie, image)], data }
}

/** A number for each window of each channel. */
const pooled = (
  node: OnnxModel.Node,
  x: Values,
  f: (values: ReadonlyArray<number>, taps: number) => number
): Values => {
  const [n = 0, channels = 0, ...image] = x.shape
  const lie = lieOf(node, ints(node, "kernel_shape") ?? [])
  const windows = tapsOf(lie, image)
  const [pixels, taps] = [Arrays.product(image), Arrays.product(lie.kernel)]
  const data = new Float64Array(n * channels * windows.length)
  for (let plane = 0; plane < n * channels; plane++)
    for (const [place, window] of windows.entries()) {
      const values = window.map(([, pixel]) => x.data[plane * pixels + pixel] as number)
      data[plane * windows.length + place] = Math.fround(f(values, taps))
    }
  return { shape: [n, channels, ...placesOf(lie, image)], data }
}

// ---- quantization -------------------------------------------------------------------------------------------

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

const clamped = (x: number, [low, high]: readonly [number, number]): number => Math.min(Math.max(x, low), high)

const quant: Compute = (node, inputs) => {
  const [x, scale, zero] = [given(node, inputs, 0), given(node, inputs, 1), given(node, inputs, 2)]
  const [round, ends] = [roundOf(node), bounds(node, number(node, inputs, 3))]
  const [scaleAt, zeroAt] = [Arrays.spreadOver(scale, x.shape), Arrays.spreadOver(zero, x.shape)]
  return Arrays.mapped(x, (value, i) => {
    const [s, z] = [scale.data[scaleAt(i)] as number, zero.data[zeroAt(i)] as number]
    const q = clamped(round(Math.fround(Math.fround(value / s) + z)), ends)
    return (q - z) * s
  })
}

const trunc: Compute = (node, inputs) => {
  const [fromScale, zero, scale] = [number(node, inputs, 1), number(node, inputs, 2), number(node, inputs, 4)]
  const [round, ends] = [roundOf(node), bounds(node, number(node, inputs, 5))]
  return Arrays.mapped(given(node, inputs, 0), (value) => {
    const whole = GraphConstants.roundEven(value / fromScale + zero)
    return (clamped(round(whole / (scale / fromScale)), ends) - zero) * scale
  })
}

/** Scale and zero-point of QuantizeLinear and DequantizeLinear beside a value. */
const linearOf = (node: OnnxModel.Node, inputs: ReadonlyArray<Values>) => {
  const [x, scale, zero] = [given(node, inputs, 0), given(node, inputs, 1), given(node, inputs, 2)]
  const rank = x.shape.length
  const axis = (int(node, "axis", 1) + rank) % Math.max(rank, 1)
  const sized = (values: Values): Values => (values.data.length === 1 ? values : Arrays.along(values, axis, rank))
  const [s, z] = [sized(scale), sized(zero)]
  return { x, s, z, sAt: Arrays.spreadOver(s, x.shape), zAt: Arrays.spreadOver(z, x.shape) }
}

// ---- by name ------------------------------------------------------------------------------------------------

const unary =
  (f: (x: number) => number): Compute =>
  (node, inputs) =>
    Arrays.mapped(given(node, inputs, 0), f)
const binary =
  (f: (x: number, y: number) => number): Compute =>
  (node, inputs) =>
    Arrays.zipped(given(node, inputs, 0), given(node, inputs, 1), f)

const standard: Readonly<Record<string, Compute>> = {
  Add: binary((x, y) => x + y),
  Mul: binary((x, y) => x * y),
  GreaterOrEqual: binary((x, y) => (x >= y ? 1 : 0)),
  Where: (node, inputs) => {
    const [isFirst, one, other] = [given(node, inputs, 0), given(node, inputs, 1), given(node, inputs, 2)]
    const [oneAt, otherAt] = [Arrays.spreadOver(one, isFirst.shape), Arrays.spreadOver(other, isFirst.shape)]
    return Arrays.mapped(isFirst, (x, i) => (x === 1 ? one.data[oneAt(i)] : other.data[otherAt(i)]) as number)
  },
  Relu: unary((x) => Math.max(x, 0)),
  Sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  Tanh: unary(Math.tanh),
  Identity: unary((x) => x),
  Clip: (node, inputs) => {
    const ends = [number(node, inputs, 1), number(node, inputs, 2)] as const
    return Arrays.mapped(given(node, inputs, 0), (x) => clamped(x, ends))
  },
  Flatten: (node, inputs) => {
    const { shape, data } = given(node, inputs, 0)
    const axis = int(node, "axis", 1)
    return { shape: [Arrays.product(shape.slice(0, axis)), Arrays.product(shape.slice(axis))], data }
  },
  Transpose: (node, inputs) => Arrays.transposed(given(node, inputs, 0), ints(node, "perm") ?? []),
  Concat: (node, inputs) => Arrays.joined(inputs, int(node, "axis", 0)),
  MatMul: (node, inputs) => Arrays.multiplied(given(node, inputs, 0), given(node, inputs, 1)),
  Gemm: (node, inputs) => {
    const w = given(node, inputs, 1)
    const product = Arrays.multiplied(
      given(node, inputs, 0),
      int(node, "transB", 0) === 1 ? Arrays.transposed(w, [1, 0]) : w
    )
    const [alpha, beta, bias] = [float(node, "alpha", 1), float(node, "beta", 1), inputs[2]]
    return bias === undefined ? product : Arrays.zipped(product, bias, (x, b) => alpha * x + beta * b)
  },
  Conv: conv,
  MaxPool: (node, inputs) => pooled(node, given(node, inputs, 0), (values) => Math.max(...values)),
  AveragePool: (node, inputs) =>
    pooled(node, given(node, inputs, 0), (values, taps) => {
      const count = int(node, "count_include_pad", 0) === 1 ? taps : values.length
      return values.reduce((a, b) => a + b, 0) / count
    }),
  BatchNormalization: (node, inputs) => {
    const x = given(node, inputs, 0)
    const [w, b, mean, variance] = [1, 2, 3, 4].map((at) =>
      Arrays.along(given(node, inputs, at), 1, x.shape.length)
    ) as [Values, Values, Values, Values]
    const at = Arrays.spreadOver(w, x.shape)
    const epsilon = float(node, "epsilon", 1e-5)
    const of = ({ data }: Values, i: number): number => data[at(i)] as number
    return Arrays.mapped(
      x,
      (value, i) => ((value - of(mean, i)) / Math.sqrt(of(variance, i) + epsilon)) * of(w, i) + of(b, i)
    )
  },
  QuantizeLinear: (node, inputs) => {
    const { x, s, z, sAt, zAt } = linearOf(node, inputs)
    const { type = "uint8" } = given(node, inputs, 2)
    if (type === "float32" || type === "int64")
      throw new Error(`QuantizeLinear "${node.name}" has a zero-point of ${type}`)
    return Arrays.mapped(x, (value, i) => {
      const q = GraphConstants.roundEven(Math.fround(value / (s.data[sAt(i)] as number)))
      return clamped(q + (z.data[zAt(i)] as number), integerRanges[type])
    })
  },
  DequantizeLinear: (node, inputs) => {
    const { x, s, z, sAt, zAt } = linearOf(node, inputs)
    return Arrays.mapped(x, (q, i) => (q - (z.data[zAt(i)] as number)) * (s.data[sAt(i)] as number))
  }
}

const general: Readonly<Record<string, Compute>> = {
  Quant: quant,
  BipolarQuant: (node, inputs) =>
    Arrays.zipped(given(node, inputs, 0), given(node, inputs, 1), (x, s) => (x >= 0 ? s : -s)),
  Trunc: trunc
}

const computeOf = ({ domain, opType }: OnnxModel.Node): Compute | undefined => {
  const known = domain === "" ? standard : domain === "qonnx.custom_op.general" ? general : {}
  return Object.hasOwn(known, opType) ? known[opType] : undefined
}

export const isKnown = (node: OnnxModel.Node): boolean => computeOf(node) !== undefined

/** What a node makes of its inputs; throws where they are not what it needs. */
export const compute = (node: OnnxModel.Node, inputs: ReadonlyArray<Values>): Values => {
  const f = computeOf(node)
  if (f === undefined) throw new Error(`it does not know ${node.opType}`)
  return f(node, inputs)
}
