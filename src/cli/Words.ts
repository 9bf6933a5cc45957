/**
 * The facts of a quantizer in words: one line, or a line for each fact.
 *
 * Room: cli (level 6). Imports: `quant`, `./Measure.ts`.
 */
import type { Facts, ScaleFacts, ZeroPointFacts } from "../quant/Catalogue.ts"
import type { Count, Measured } from "./Measure.ts"

const open = "–"

/** A number with a space between thousands, as many digits as it needs. */
const grouped = (n: number): string => `${n}`.replace(/\B(?=(\d{3})+(?!\d))/g, " ")

// ---- parts --------------------------------------------------------------------------------------------------

/** `8-bit signed narrow`, `e4m3 minifloat`, `binary`. */
export const format = ({ format: f, bits, learnedBits, quantizer }: Facts): string => {
  const width = bits === undefined ? [] : [`${learnedBits ? "learned, at first " : ""}${bits}-bit`]
  switch (f.kind) {
    case "integer": {
      const sign = f.signed === undefined ? [] : [f.signed ? "signed" : "unsigned"]
      const unit = bits === undefined ? ["integers"] : []
      return [...width, ...sign, ...(f.narrow ? ["narrow"] : []), ...unit].join(" ")
    }
    case "minifloat":
      return f.exponentBits === undefined
        ? "minifloat, widths to be given"
        : `e${f.exponentBits}m${f.mantissaBits} minifloat`
    case "none":
      return "not quantized"
    case "open":
      return quantizer ?? open
    default:
      return f.kind
  }
}

/** `-127..127`, `±448`. */
export const range = ({ format: f, range: r }: Facts): string => {
  if (r === undefined) return open
  const [low, high] = r
  if (f.kind === "binary") return `${low}, ${high}`
  return f.kind === "minifloat" ? `±${high}` : `${low}..${high}`
}

/** `tensor`, `channel`, `group of 32`. */
export const granularity = ({ per, groupSize }: ScaleFacts): string =>
  per === "group" ? `group of ${groupSize ?? "?"}` : per

/** `float`, `power of two, exponent up`. */
export const restriction = ({ restriction: values, exponent }: ScaleFacts): string =>
  exponent === undefined ? values : `${values}, exponent ${exponent === "nearest" ? "to nearest" : exponent}`

/** `constant 1`, `learned after 300 steps`. */
export const origin = ({ origin: from, constant, steps, pre }: ScaleFacts): string => {
  const value = constant === undefined ? "" : ` ${constant}`
  const after = steps === undefined || !from.startsWith("learned") ? "" : ` after ${steps} steps`
  return `${from}${value}${after}${pre === undefined ? "" : `; rounds with ${pre}`}`
}

export const zeroPoint = ({ from, statistic, whole }: ZeroPointFacts): string => {
  if (from === "zero") return "0"
  if (from === "outside") return "the input's"
  return [from, ...(statistic === undefined ? [] : [statistic]), ...(whole ? [] : ["not rounded"])].join(", ")
}

/** `1 + 2 per channel`; `0` for nothing. */
export const count = (numbers: Count): string => {
  const parts = (["tensor", "channel", "group", "value"] as const).flatMap((kind) =>
    numbers[kind] === 0 ? [] : [kind === "tensor" ? `${numbers[kind]}` : `${numbers[kind]} per ${kind}`]
  )
  return parts.length === 0 ? "0" : parts.join(" + ")
}

export const bytes = ({ bytesPerMillion }: Facts): string =>
  bytesPerMillion === undefined ? open : grouped(bytesPerMillion)

/** The names that must be given, and what comes with the input. */
export const needs = (facts: Facts, measured: Measured | undefined): string => {
  const outside = measured?.outside ?? []
  const input = outside.length === 0 ? [] : [`the input's ${outside.join(", ")}`]
  return [...(facts.needs.length === 0 ? [] : [facts.needs.join(", ")]), ...input].join("; ") || open
}

// ---- all of it ----------------------------------------------------------------------------------------------

const scaled = (scale: ScaleFacts): string => {
  const { per, restriction: values, statistic, constant, origin: from } = scale
  if (constant === 1) return "unscaled"
  const kind = values === "power of two" ? "power-of-two" : values
  const what = per === "tensor" ? `one ${kind} scale per tensor` : `${kind} scales per ${granularity(scale)}`
  if (constant !== undefined) return `${what}, constant ${constant}`
  if (from === "input times weight") return `scaled by ${from}`
  if (statistic === undefined) return from === "the bits dropped" ? `${what} from ${from}` : `${what}, ${from}`
  return from.startsWith("learned") ? `${what}, learned from ${statistic}` : `${what} from ${statistic}`
}

const shifted = ({ from, statistic }: ZeroPointFacts): ReadonlyArray<string> =>
  from === "zero" || from === "outside"
    ? []
    : [`zero-point ${from === "learned" ? "learned " : ""}from ${statistic ?? "statistics"}`]

/** One line: `8-bit signed narrow, one float scale per tensor from max |x|`. */
export const line = (facts: Facts): string => {
  const { scale, zeroPoint: zero, rounding } = facts
  const rounded =
    rounding === undefined || rounding.startsWith("to nearest, ties to even") ? [] : [`rounded ${rounding}`]
  return [format(facts), ...(scale === undefined ? [] : [scaled(scale)]), ...shifted(zero), ...rounded].join(", ")
}

/** A title and a text for each fact. */
export const rows = (
  facts: Facts,
  measured: Measured | undefined,
  file: string
): ReadonlyArray<readonly [title: string, text: string]> => {
  const { slot, quantizer, scale, rounding, bytesPerMillion, zeroPoint: zero } = facts
  const of = (...parts: ReadonlyArray<string | undefined>): string => parts.filter((part) => part).join(": ")
  return [
    ["for", slot ?? open],
    ["quantizer", quantizer ?? "none: the tensor is handed on"],
    ["format", format(facts)],
    ["range", range(facts)],
    ...(scale === undefined
      ? []
      : ([
          ["scale", `${restriction(scale)}, per ${granularity(scale)}`],
          ["from", of(origin(scale), scale.statistic)],
          ["zero-point", zeroPoint(zero)]
        ] as const)),
    ...(rounding === undefined ? [] : ([["rounding", rounding]] as const)),
    ...(bytesPerMillion === undefined ? [] : ([["memory", `${bytes(facts)} bytes for a million weights`]] as const)),
    ["learned", measured === undefined ? open : count(measured.learned)],
    ["running", measured === undefined ? open : count(measured.running)],
    ["needs", needs(facts, measured)],
    ["source", file]
  ]
}
