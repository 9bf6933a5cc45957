/**
 * The facts of a quantizer, read off its declaration: nothing is built, no layer is needed.
 *
 * Room: quant (level 3). Imports: `inject`, its own room.
 */
import type * as Injector from "../inject/Injector.ts"
import * as Reading from "./Reading.ts"
import { type ScaleFacts, scaleOf, type ZeroPointFacts, zeroPointOf } from "./ScaleFacts.ts"

/** Which tensor of a layer a quantizer is for. */
export type Slot = "weight" | "bias" | "activation" | "truncation"

/** What the quantized values are, before the scale. */
export type Format =
  /** `signed` is absent where it is as with the input */
  | { readonly kind: "integer"; readonly signed: boolean | undefined; readonly narrow: boolean }
  /** the widths are absent where they are to be given */
  | {
      readonly kind: "minifloat"
      readonly exponentBits?: number
      readonly mantissaBits?: number
      readonly bias?: number
    }
  | { readonly kind: "binary" | "ternary" }
  /** the tensor is handed on as it is */
  | { readonly kind: "none" }
  /** not to be known from the declaration alone */
  | { readonly kind: "open" }

export interface Facts {
  readonly name: string
  readonly slot: Slot | undefined
  /** the constructor of the quantizer; absent: nothing is quantized */
  readonly quantizer: string | undefined
  readonly format: Format
  /** of one value; absent: not known before the quantizer is given what it needs */
  readonly bits: number | undefined
  readonly learnedBits: boolean
  /** the lowest and the highest value before the scale */
  readonly range: readonly [low: number, high: number] | undefined
  readonly scale: ScaleFacts | undefined
  readonly zeroPoint: ZeroPointFacts
  readonly rounding: string | undefined
  /** the names that whoever resolves it has to give; a layer gives `module` */
  readonly needs: ReadonlyArray<string>
  /** bytes for a million weights, `[1000, 1000]`, with their scales and zero-points; absent for other tensors */
  readonly bytesPerMillion: number | undefined
}

// ---- formats ------------------------------------------------------------------------------------------------

const roundings: Readonly<Record<string, string>> = {
  RoundSte: "to nearest, ties to even",
  FloorSte: "down",
  CeilSte: "up",
  RoundToZeroSte: "towards zero",
  DPURoundSte: "to nearest, ties up if negative",
  StochasticRoundSte: "stochastic",
  LearnedRoundSte: "learned"
}

const formatOf = ({ foreseen, builder, constant, number }: Reading.Reading): Format => {
  const label = builder("tensorQuant")
  if (label === undefined)
    return foreseen.tensorQuant?.kind === "constant" && constant("tensorQuant") === undefined
      ? { kind: "none" }
      : { kind: "open" }
  if (label.endsWith("BinaryQuant")) return { kind: "binary" }
  if (label.endsWith("TernaryQuant")) return { kind: "ternary" }
  const [exponentBits, mantissaBits] = [number("exponentBitWidth"), number("mantissaBitWidth")]
  if (label.includes("FloatQuant"))
    return exponentBits === undefined || mantissaBits === undefined
      ? { kind: "minifloat" }
      : { kind: "minifloat", exponentBits, mantissaBits, bias: number("exponentBias") ?? 2 ** (exponentBits - 1) - 1 }
  const signed = constant("signed")
  return {
    kind: "integer",
    signed: label !== "TruncIntQuant" && typeof signed === "boolean" ? signed : undefined,
    narrow: constant("narrowRange") === true
  }
}

const bitsOf = (format: Format, { number }: Reading.Reading): number | undefined => {
  switch (format.kind) {
    case "binary":
      return 1
    case "ternary":
      return 2
    case "minifloat":
      return number("bitWidth")
    case "integer":
      return number("bitWidth")
    default:
      return undefined
  }
}

const rangeOf = (format: Format, bits: number | undefined, { number }: Reading.Reading): Facts["range"] => {
  switch (format.kind) {
    case "binary":
    case "ternary":
      return [-1, 1]
    case "minifloat": {
      const { exponentBits, mantissaBits, bias } = format
      if (exponentBits === undefined || mantissaBits === undefined || bias === undefined) return undefined
      const largest = number("maxAvailableFloat") ?? (2 - 2 ** -mantissaBits) * 2 ** (2 ** exponentBits - 1 - bias)
      return [-largest, largest]
    }
    case "integer": {
      if (bits === undefined || format.signed === undefined) return undefined
      const narrow = format.narrow ? 1 : 0
      return format.signed ? [narrow - 2 ** (bits - 1), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1 - narrow]
    }
    default:
      return undefined
  }
}

// ---- slots --------------------------------------------------------------------------------------------------

/** The rules that a declaration is built on say which tensor it is for, or else its name does. */
const slotOf = (entry: Injector.Any): Slot | undefined => {
  const rules: Readonly<Record<string, Slot>> = {
    Weight: "weight",
    Bias: "bias",
    Activation: "activation",
    Truncation: "truncation"
  }
  const built = entry.layers.map(({ name }) => rules[name]).find((slot) => slot !== undefined)
  if (built !== undefined) return built
  const words: ReadonlyArray<readonly [RegExp, Slot]> = [
    [/Weight/, "weight"],
    [/Bias/, "bias"],
    [/Act/, "activation"],
    [/Trunc|Round|Clamp/, "truncation"]
  ]
  return words.find(([word]) => word.test(entry.name))?.[1]
}

// ---- memory -------------------------------------------------------------------------------------------------

const features = 1000

/** How many scales a weight of `[1000, 1000]` has. */
const scaleCount = ({ per, groupSize }: ScaleFacts): number | undefined => {
  switch (per) {
    case "tensor":
      return 1
    case "channel":
      return features
    case "group":
      return groupSize === undefined ? undefined : features * Math.ceil(features / groupSize)
    default:
      return undefined
  }
}

const bytesOf = (
  format: Format,
  bits: number | undefined,
  scale: ScaleFacts | undefined,
  zeroPoint: ZeroPointFacts
): number | undefined => {
  if (format.kind === "none") return 4 * features ** 2
  if (bits === undefined) return undefined
  const count = scale === undefined ? 0 : scaleCount(scale)
  if (count === undefined) return undefined
  const scaleBytes = scale?.restriction === "power of two" ? 1 : 4
  const zeroPointBytes = zeroPoint.from === "zero" ? 0 : zeroPoint.whole ? Math.ceil(bits / 8) : 4
  return Math.ceil((features ** 2 * bits) / 8) + count * (scaleBytes + zeroPointBytes)
}

// ---- all of it ----------------------------------------------------------------------------------------------

/** The facts of a quantizer, as far as its declaration tells. */
export const of = (entry: Injector.Any): Facts => {
  const read = Reading.of(entry)
  const format = formatOf(read)
  const bits = bitsOf(format, read)
  const slot = slotOf(entry)
  const quantizer = read.builder("tensorQuant")
  const scale = quantizer === undefined ? undefined : scaleOf(quantizer, read)
  const zeroPoint = zeroPointOf(quantizer, read)
  const stored = scale?.constant === 1 ? undefined : scale
  return {
    name: entry.name,
    slot,
    quantizer,
    format,
    bits,
    learnedBits: read.builder("bitWidthImpl") === "BitWidthParameter",
    range: rangeOf(format, bits, read),
    scale,
    zeroPoint,
    rounding: roundings[read.builder("floatToIntImpl") ?? ""] ?? read.builder("floatToIntImpl"),
    needs: read.missing,
    bytesPerMillion: slot === "weight" ? bytesOf(format, bits, stored, zeroPoint) : undefined
  }
}
