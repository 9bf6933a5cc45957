/**
 * QONNX: arbitrary widths by nodes of their own (Quant, BipolarQuant, Trunc, FloatQuant), which quantize and go back to floats.
 * Weights stay floats before their quantizer.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts`, `./GraphConstants.ts`, `./OnnxBuilder.ts`, `./OnnxStyle.ts`.
 * Laws: test/exchange/Onnx.test.ts.
 */
import type * as Graph from "./Graph.ts"
import * as GraphConstants from "./GraphConstants.ts"
import * as Builder from "./OnnxBuilder.ts"
import { type Place, refusal, type Style } from "./OnnxStyle.ts"

const target = "QONNX"

/** The domain of its nodes, and the version of that. */
export const domain = "qonnx.custom_op.general"
export const version = 2

const modes: Readonly<Record<Graph.Rounding, string | undefined>> = {
  nearest: "ROUND",
  floor: "FLOOR",
  ceil: "CEIL",
  toZero: "DOWN",
  other: undefined
}

const modeOf = ({ node }: Place, rounding: Graph.Rounding): string => {
  const mode = modes[rounding]
  if (mode === undefined) throw refusal(target, node, "it rounds in a way that QONNX has no name for")
  return mode
}

const numbers = ({ builder, name }: Place, label: string, { shape, data }: Graph.Numbers): string =>
  builder.constant(`${name}.${label}`, "float32", data.length === 1 ? [] : shape, data)

const number = ({ builder, name }: Place, label: string, value: number): string =>
  builder.constant(`${name}.${label}`, "float32", [], [value])

const flag = (is: boolean): number => (is ? 1 : 0)

// ---- nodes --------------------------------------------------------------------------------------------------

const integers = (place: Place, x: string, grid: Graph.IntegerGrid): string => {
  const { builder, name } = place
  const { scale, zeroPoint, bits, signed, narrow, rounding } = grid
  const inputs = [
    x,
    numbers(place, "scale", scale),
    numbers(place, "zeroPoint", zeroPoint),
    number(place, "bits", bits)
  ]
  const attributes = [
    Builder.int("narrow", flag(narrow)),
    Builder.string("rounding_mode", modeOf(place, rounding)),
    Builder.int("signed", flag(signed))
  ]
  return builder.node("Quant", inputs, name, attributes, domain)
}

const minifloats = (place: Place, x: string, grid: Extract<Graph.Grid, { kind: "minifloat" }>): string => {
  const { builder, name } = place
  const { exponentBitWidth, mantissaBitWidth, exponentBias, saturating, infValues, nanValues } = grid.format
  const inputs = [
    // FloatQuant has a sign
    grid.signed ? x : builder.node("Relu", [x], `${name}.rectified`),
    numbers(place, "scale", grid.scale),
    number(place, "exponentBits", exponentBitWidth),
    number(place, "mantissaBits", mantissaBitWidth),
    number(place, "exponentBias", exponentBias),
    number(place, "largest", grid.largest)
  ]
  const attributes = [
    Builder.int("has_inf", flag(infValues !== undefined)),
    Builder.int("has_nan", flag(nanValues !== undefined)),
    Builder.int("has_subnormal", 1),
    Builder.string("rounding_mode", modeOf(place, grid.rounding)),
    Builder.int("saturation", flag(saturating))
  ]
  return builder.node("FloatQuant", inputs, name, attributes, domain)
}

const quantize: Style["quantize"] = (place, x, grid) => {
  const { builder, name, node } = place
  switch (grid.kind) {
    case "integer":
      return integers(place, x, grid)
    case "binary":
      return builder.node("BipolarQuant", [x, numbers(place, "scale", grid.scale)], name, [], domain)
    case "minifloat":
      return minifloats(place, x, grid)
    case "ternary":
      throw refusal(target, node, "its threshold is its own; use 2 narrow bits of integers")
  }
}

/** The floats from which the quantizer of a constant makes what it made: those that were learned, or else the result itself. */
const floatsOf = (constant: Graph.Constant): Graph.Numbers => {
  const { raw, quantized } = constant
  if (quantized === undefined) return raw
  const { grid, value } = quantized
  return grid.kind === "binary" || grid.kind === "minifloat" || GraphConstants.isByFormula(constant) ? raw : value
}

const learned: Style["weight"] = (place, constant) => {
  const { builder, name } = place
  const { quantized } = constant
  const floats = floatsOf(constant)
  const x = builder.constant(quantized === undefined ? name : `${name}.floats`, "float32", floats.shape, floats.data)
  if (quantized === undefined) return x
  const { grid } = quantized
  const near = floats === constant.raw || grid.kind !== "integer" ? grid : { ...grid, rounding: "nearest" as const }
  return quantize(place, x, near.kind === "ternary" ? GraphConstants.asIntegers(near) : near, undefined)
}

/** The dialect. */
export const style: Style = {
  target,
  quantize,
  truncate: (place, x, { from, grid }) => {
    const { builder, name } = place
    const inputs = [
      x,
      numbers(place, "fromScale", from.scale),
      numbers(place, "fromZeroPoint", from.zeroPoint),
      number(place, "fromBits", from.bits),
      numbers(place, "scale", grid.scale),
      number(place, "bits", grid.bits)
    ]
    const attributes = [
      Builder.int("narrow", flag(grid.narrow)),
      Builder.string("rounding_mode", modeOf(place, grid.rounding)),
      Builder.int("signed", flag(grid.signed))
    ]
    return builder.node("Trunc", inputs, name, attributes, domain)
  },
  weight: learned,
  bias: learned
}
