/**
 * QCDQ: QuantizeLinear, Clip where the range is narrower than the storage, DequantizeLinear. Weights and biases are stored as
 * integers. Standard ONNX, that every runtime knows.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts`, `./GraphConstants.ts`, `./OnnxBuilder.ts`, `./OnnxModel.ts`, `./OnnxStyle.ts`.
 * Laws: test/exchange/Onnx.test.ts.
 */
import * as Graph from "./Graph.ts"
import * as GraphConstants from "./GraphConstants.ts"
import * as Builder from "./OnnxBuilder.ts"
import { type DataType, integerRanges } from "./OnnxModel.ts"
import { axisOf, type Place, refusal, type Style } from "./OnnxStyle.ts"

export interface Options {
  /** version of the operators of the standard */
  readonly opset: number
  /** whether weights are stored as integers, or as floats before a QuantizeLinear */
  readonly weights: "integers" | "floats"
}

const target = "QCDQ"

// ---- storage ------------------------------------------------------------------------------------------------

type Whole = Exclude<DataType, "float32" | "int64">

/** How integers of a width are stored as constants; undefined: not at all. */
const storageOf = ({ bits, signed }: Graph.IntegerGrid, opset: number): Whole | undefined => {
  if (bits <= 4 && opset >= 21) return signed ? "int4" : "uint4"
  if (bits <= 8) return signed ? "int8" : "uint8"
  if (bits <= 16 && opset >= 21) return signed ? "int16" : "uint16"
  return bits <= 32 && (signed || bits < 32) ? "int32" : undefined
}

/** How QuantizeLinear answers integers of a width; undefined: it does not. */
const liveStorageOf = ({ bits, signed }: Graph.IntegerGrid, opset: number): Whole | undefined => {
  if (bits <= 8) return signed ? "int8" : "uint8"
  return bits <= 16 && opset >= 21 ? (signed ? "int16" : "uint16") : undefined
}

const widthReason = (bits: number, opset: number): string =>
  `${bits} bits have no integer type in opset ${opset}${bits <= 16 && opset < 21 ? "; opset 21 has one" : "; use fewer bits, or QONNX"}`

/** The integer grid of values, which must be what QuantizeLinear does. */
const integerGrid = (place: Place, grid: Graph.Grid): Graph.IntegerGrid => {
  const { node } = place
  if (grid.kind !== "integer")
    throw refusal(target, node, `${grid.kind} values are not made by QuantizeLinear; use QONNX, or integers`)
  if (grid.rounding !== "nearest")
    throw refusal(target, node, "QuantizeLinear rounds to nearest, a tie to even; use that rounding, or QONNX")
  return grid
}

// ---- nodes --------------------------------------------------------------------------------------------------

interface Written {
  readonly scale: string
  readonly zeroPoint: string
  readonly attributes: ReadonlyArray<ReturnType<typeof Builder.int>>
  readonly storage: Whole
}

/** Scale and zero-point as constants. */
const gridConstants = (place: Place, grid: Graph.IntegerGrid, storage: Whole, axis: number | undefined): Written => {
  const { builder, node, name } = place
  const { scale, zeroPoint } = grid
  const [low, high] = integerRanges[storage]
  if (!scale.data.every((s) => s > 0 && Number.isFinite(s)))
    throw refusal(target, node, "a scale is 0 or not finite; train or calibrate the quantizer first")
  if (!zeroPoint.data.every((z) => Number.isInteger(z) && z >= low && z <= high))
    throw refusal(target, node, "a zero-point is no whole number of the integer type; use a quantizer that rounds it")
  if (axis === undefined && zeroPoint.data.length > 1)
    throw refusal(target, node, "zero-points vary where there is one scale; use scales for each channel, too")
  const dims = axis === undefined ? [] : [scale.data.length]
  const zeros = Float32Array.from(scale.data, (_, i) => zeroPoint.data[zeroPoint.data.length === 1 ? 0 : i] ?? 0)
  return {
    scale: builder.constant(`${name}.scale`, "float32", dims, scale.data),
    zeroPoint: builder.constant(`${name}.zeroPoint`, storage, dims, zeros),
    attributes: axis === undefined ? [] : [Builder.int("axis", axis)],
    storage
  }
}

const dequantize = ({ builder, name }: Place, q: string, { scale, zeroPoint, attributes }: Written): string =>
  builder.node("DequantizeLinear", [q, scale, zeroPoint], name, attributes)

/** Clips integers whose range is narrower than that of their type. */
const clipped = ({ builder, name }: Place, q: string, grid: Graph.IntegerGrid, storage: Whole): string => {
  const [low, high] = Graph.boundsOf(grid)
  const [least, most] = integerRanges[storage]
  if (low === least && high === most) return q
  const bound = (end: string, value: number): string => builder.constant(`${name}.${end}`, storage, [], [value])
  return builder.node("Clip", [q, bound("low", low), bound("high", high)], `${name}.clipped`)
}

/** Signs, which QuantizeLinear does not make (of 0 it makes 0): plain operators. */
const signs = ({ builder, name }: Place, x: string, { shape, data }: Graph.Numbers): string => {
  const constant = (label: string, of: ArrayLike<number>): string =>
    builder.constant(`${name}.${label}`, "float32", of.length === 1 ? [] : shape, of)
  const isUp = builder.node("GreaterOrEqual", [x, constant("zero", [0])], `${name}.isUp`)
  const ends = [
    constant("scale", data),
    constant(
      "minusScale",
      Float32Array.from(data, (s) => -s)
    )
  ]
  return builder.node("Where", [isUp, ...ends], name)
}

const quantize: (opset: number) => Style["quantize"] = (opset) => (place, x, given, axis) => {
  if (given.kind === "binary") return signs(place, x, given.scale)
  const grid = integerGrid(place, given)
  const storage = liveStorageOf(grid, opset)
  if (storage === undefined) throw refusal(target, place.node, widthReason(grid.bits, opset))
  const written = gridConstants(place, grid, storage, axis)
  const { builder, name } = place
  const inputs = [x, written.scale, written.zeroPoint]
  const q = builder.node("QuantizeLinear", inputs, `${name}.integers`, written.attributes)
  return dequantize(place, clipped(place, q, grid, storage), written)
}

/** A constant that is stored as what it was before it was quantized. */
const plain = ({ builder, name }: Place, { raw }: Graph.Constant): string =>
  builder.constant(name, "float32", raw.shape, raw.data)

const wholeGrid = (place: Place, constant: Graph.Constant) => {
  const { quantized, raw } = constant
  if (quantized === undefined) return undefined
  if (quantized.grid.kind === "minifloat")
    throw refusal(target, place.node, "its minifloats are no integers; use QONNX, or a quantizer of integers")
  const integers = GraphConstants.integersOf(constant)
  if (integers === undefined) throw refusal(target, place.node, "quantized values do not lie on their grid")
  const grid = GraphConstants.asIntegers(quantized.grid)
  return { integers, grid, axis: axisOf(target, place.node, grid, raw.shape.length) }
}

const weight =
  ({ opset, weights }: Options): Style["weight"] =>
  (place, constant) => {
    const whole = wholeGrid(place, constant)
    if (whole === undefined) return plain(place, constant)
    const { integers, grid, axis } = whole
    const { builder, name, node } = place
    const { shape } = constant.raw
    if (weights === "floats") {
      if (!GraphConstants.isByFormula(constant))
        throw refusal(
          target,
          node,
          'its weight is not rounded to nearest from its floats; ask for { weights: "integers" }'
        )
      return quantize(opset)(place, builder.constant(`${name}.floats`, "float32", shape, constant.raw.data), grid, axis)
    }
    const storage = storageOf(grid, opset)
    if (storage === undefined) throw refusal(target, node, widthReason(grid.bits, opset))
    const written = gridConstants(place, grid, storage, axis)
    const q = builder.constant(`${name}.integers`, storage, shape, integers)
    // there is no Clip of four bits, and constants need none
    const isPacked = storage === "int4" || storage === "uint4"
    return dequantize(place, isPacked ? q : clipped(place, q, grid, storage), written)
  }

const bias: Style["bias"] = (place, constant) => {
  const whole = wholeGrid(place, constant)
  if (whole === undefined) return plain(place, constant)
  const { integers, grid, axis } = whole
  const storage: Whole = grid.bits <= 8 ? (grid.signed ? "int8" : "uint8") : "int32"
  const [low, high] = integerRanges[storage]
  if (!integers.every((q) => q >= low && q <= high)) throw refusal(target, place.node, widthReason(grid.bits, 13))
  const written = gridConstants(place, grid, storage, axis)
  const { builder, name } = place
  return dequantize(place, builder.constant(`${name}.integers`, storage, constant.raw.shape, integers), written)
}

/**
 * Integers that are cut downwards are rounded to nearest half a new step lower, but for half an old step, so that none of them is a
 * tie; upwards likewise.
 */
const truncate =
  (opset: number): Style["truncate"] =>
  (place, x, { from, grid }, axis, isUneven) => {
    const { builder, name } = place
    const { rounding } = grid
    const isCut = rounding === "floor" || rounding === "ceil"
    const numbers = (label: string, { shape, data }: Graph.Numbers): string =>
      builder.constant(`${name}.${label}`, "float32", data.length === 1 ? [] : shape, data)
    const whole = (): string => {
      const step = numbers("fromScale", from.scale)
      const near = builder.node("Round", [builder.node("Div", [x, step], `${name}.fine`)], `${name}.whole`)
      return builder.node("Mul", [near, step], `${name}.evened`)
    }
    const even = isUneven ? whole() : x
    // one scale may become one for each channel, and they one
    const most = grid.scale.data.length === 1 ? from.scale : grid.scale
    const at = ({ data }: Graph.Numbers, i: number): number => data[data.length === 1 ? 0 : i] as number
    const half = most.data.map((_, i) => {
      const lower = (at(grid.scale, i) - at(from.scale, i)) / 2
      return rounding === "floor" ? -lower : lower
    })
    if (!isCut || half.every((h) => h === 0))
      return quantize(opset)(place, even, isCut ? { ...grid, rounding: "nearest" } : grid, axis)
    const offset = numbers("half", { shape: most.shape, data: half })
    const moved = builder.node("Add", [even, offset], `${name}.moved`)
    return quantize(opset)(place, moved, { ...grid, rounding: "nearest" }, axis)
  }

/** The dialect. */
export const style = (options: Options): Style => ({
  target,
  quantize: quantize(options.opset),
  truncate: truncate(options.opset),
  weight: weight(options),
  bias
})
