/**
 * Of which quantizers a law is claimed, as the facts of their declarations decide; each reason in words.
 *
 * Room: laws. Imports: `quant`, its own room.
 */
import type * as Catalogue from "../src/quant/Catalogue.ts"
import type { Promised, Subject } from "./Subject.ts"

/** Why a law is not claimed; absent: it is. */
export type Reason = string | undefined
/** One condition. */
export type Condition = (promised: Promised) => Reason

/** All conditions of a law of this name, unless the subject says otherwise by name. */
export const unless =
  (name: string, conditions: ReadonlyArray<Condition>) =>
  ({ promised }: Subject): Reason => {
    if (Object.hasOwn(promised.disclaim, name)) return promised.disclaim[name]
    if (quantizes(promised) !== undefined) return quantizes(promised)
    if (promised.claim.includes(name)) return undefined
    return conditions.map((condition) => condition(promised)).find((reason) => reason !== undefined)
  }

type Facts = Catalogue.Facts

/** The range, also where the input's sign decides on it: the example's is signed. */
export const rangeOf = ({ range, format, bits }: Facts): Facts["range"] => {
  if (range !== undefined || format.kind !== "integer" || format.signed !== undefined || bits === undefined)
    return range
  return [-(2 ** (bits - 1)) + (format.narrow ? 1 : 0), 2 ** (bits - 1) - 1]
}

/** Something is quantized at all. */
export const quantizes: Condition = ({ facts }) =>
  facts.format.kind === "none" ? "the tensor is handed on as it is" : undefined

// ---- formats ------------------------------------------------------------------------------------------------

/** The lowest and the highest code are known. */
export const knownRange: Condition = ({ facts }) =>
  rangeOf(facts) === undefined ? "the declaration does not tell its range" : undefined

export const integers: Condition = ({ facts: { format } }) =>
  format.kind === "minifloat" ? "its codes are no integers" : undefined

export const minifloats: Condition = ({ facts: { format } }) => {
  if (format.kind !== "minifloat") return "it is no minifloat"
  return format.exponentBits === undefined ? "the declaration does not tell its widths" : undefined
}

export const narrow: Condition = ({ facts: { format } }) =>
  format.kind === "integer" && format.narrow ? undefined : "its range is not narrow"

export const knownBits: Condition = ({ facts }) =>
  facts.learnedBits
    ? "its width is learned"
    : facts.bits === undefined
      ? "the declaration does not tell its width"
      : undefined

/** How many bits a tensor for a test can have more elements than codes of. */
export const countableBits = 8

/** More elements than there are codes can share a scale. */
export const countable: Condition = ({ facts: { bits, scale, slot } }) => {
  if (bits !== undefined && bits > countableBits) return "there are more codes than a test has elements"
  if (slot === "bias" && scale?.per === "channel") return "each element has a scale of its own"
  if (scale?.per !== "group" || bits === undefined) return undefined
  return (scale.groupSize ?? 0) > 2 ** bits ? undefined : "a group has fewer elements than there are codes"
}

/** Zero is one of the values. */
export const hasZero: Condition = ({ facts: { format, zeroPoint, scale } }) => {
  if (scale?.pre?.includes("centred")) return "it centres each channel before it rounds"
  if (format.kind === "binary") return "it has no zero"
  return zeroPoint.whole ? undefined : "its zero-point is not rounded"
}

/** Values and their negatives are alike. */
export const symmetric: Condition = ({ facts: { format, zeroPoint, rounding, slot, scale } }) => {
  if (format.kind === "integer" && format.signed === false) return "it is unsigned"
  if (zeroPoint.from !== "zero" && slot !== "truncation") return "its zero-point need not be 0"
  if (scale?.statistic === "max − min")
    return "its statistic, max − min, takes 0 for the smallest where all are positive"
  const even = rounding === undefined || ["to nearest, ties to even", "towards zero"].includes(rounding)
  return even ? undefined : `it rounds ${rounding}`
}

// ---- rounding -----------------------------------------------------------------------------------------------

/** How far below and above a position its code may lie, in steps. */
export const reachOf = (
  rounding: string | undefined,
  position: number
): readonly [below: number, above: number] | undefined => {
  switch (rounding) {
    case "to nearest, ties to even":
    case "to nearest, ties up if negative":
      return [0.5, 0.5]
    case "down":
      return [1, 0]
    case "up":
      return [0, 1]
    case "towards zero":
      return position >= 0 ? [1, 0] : [0, 1]
    case "stochastic":
    case "learned":
      return [1, 1]
    default:
      return undefined
  }
}

export const knownRounding: Condition = ({ facts: { format, rounding } }) => {
  if (format.kind === "binary" || format.kind === "ternary") return "it does not round"
  return reachOf(rounding, 0) === undefined ? `nothing is known of its rounding, ${rounding ?? "unnamed"}` : undefined
}

/** The same position is always rounded the same way, and never past another one. */
export const orderly: Condition = ({ facts: { rounding } }) =>
  rounding === "learned" ? "each element learns how it is rounded" : undefined

// ---- scales -------------------------------------------------------------------------------------------------

const perCall = "statistics of each call"
const homogeneous = [
  "max |x|",
  "max − min",
  "mean |x|",
  "mean of the channels' max |x|",
  "L2 norm of the channels' max |x|"
]

/** Whether scale or zero-point depend on the tensor that is quantized. */
export const follows = ({ scale, zeroPoint }: Facts): boolean =>
  scale?.origin.startsWith(perCall) === true || scale?.pre !== undefined || zeroPoint.from === "statistics"

/** One scale serves to round and to multiply. */
export const oneScale: Condition = ({ facts: { scale } }) =>
  scale?.pre === undefined ? undefined : `it rounds with ${scale.pre}, and multiplies with another scale`

/** A value of the grid is nearest to its own code, though its quotient by the scale may be a little less or more. */
export const steady: Condition = ({ facts: { rounding, scale } }) => {
  const directed = rounding === "down" || rounding === "up" || rounding === "towards zero"
  return directed && scale?.restriction !== "power of two"
    ? `it rounds ${rounding}, where a product in float32 may be a little less or more than its code`
    : undefined
}

/** A scale that follows the tensor, and nothing else. */
export const following: Condition = ({ facts: { scale, zeroPoint } }) => {
  if (scale?.pre !== undefined) return `its scale is ${scale.origin}`
  if (scale?.origin !== perCall) return `its scale is ${scale?.origin ?? "unknown"}`
  if (scale.restriction !== "float" && scale.restriction !== "power of two")
    return `its scale is a ${scale.restriction}`
  if (!homogeneous.includes(scale.statistic ?? ""))
    return `nothing is known of its statistic, ${scale.statistic ?? "unnamed"}`
  return zeroPoint.from === "zero" || zeroPoint.from === "statistics"
    ? undefined
    : "its zero-point does not follow the tensor"
}

/** What it measures does not depend on the order of what it looks at, to the last bit. */
export const orderless: Condition = ({ facts: { scale, slot, quantizer } }) => {
  if (slot === "bias" && scale?.per === "channel") return "each element has a scale of its own"
  if (scale?.pre?.includes("norm")) return "the norm adds up in the order of the elements"
  return quantizer?.includes("Learned") ? "each element learns how it is rounded" : undefined
}

/** It quantizes any number of elements, none included. */
export const anyLength: Condition = ({ facts: { slot, scale } }) => {
  if (slot === "weight" || slot === "bias") return "a weight has the shape of its layer"
  return scale?.per === "group" ? "groups are formed of some elements" : undefined
}

/** Parts of a tensor have scales of their own, or all have one that does not depend on them. */
export const separate: Condition = ({ facts }) =>
  follows(facts) && facts.scale?.per === "tensor" ? "its one scale follows the whole tensor" : undefined

/** What was quantized has the same scale again. */
export const reproducing: Condition = ({ facts }) => {
  const { scale, slot, format } = facts
  if (slot === "truncation") return "the bits that it drops are gone the second time"
  if (!follows(facts)) return undefined
  if (scale?.pre !== undefined) return oneScale({ facts } as Promised)
  if (scale?.statistic !== "max |x|")
    return `${scale?.statistic ?? "what it measures"} of quantized values is another one`
  if (scale.restriction !== "float") return "a largest value that is rounded may have another power of two"
  const range = rangeOf(facts)
  const reached = format.kind === "minifloat" || (range !== undefined && range[0] === -range[1])
  return reached ? undefined : "its range is not symmetric, so that the largest magnitude may be cut off"
}

// ---- gradients ----------------------------------------------------------------------------------------------

/** Statistics whose own gradient goes to the extremes alone. */
const extremes = ["max |x|", "max − min", "L2 norm of the channels' max |x|"]

/** The rounding passes gradients on, and no statistic adds to them but at extremes. */
export const straight: Condition = ({ facts }) => {
  const { format, scale, zeroPoint, slot } = facts
  if (format.kind === "minifloat") return "its gradient follows the rounded value, y/u"
  if (format.kind !== "integer") return "its gradient is that of a hard tanh"
  if (slot !== "truncation" && rangeOf(facts) === undefined) return "the declaration does not tell its range"
  if (scale?.pre?.includes("norm")) return "every element has a part in the norm"
  if (!follows(facts)) return undefined
  if (zeroPoint.from !== "zero" && !(zeroPoint.from === "statistics" && zeroPoint.statistic === "min"))
    return "its zero-point is learned beside a scale that follows"
  return extremes.includes(scale?.statistic ?? "")
    ? undefined
    : `every element may have a part in its statistic, ${scale?.statistic}`
}

/** One scale, which stays or follows extremes, and a zero-point that is 0. */
export const plainScale: Condition = ({ facts }) => {
  const { scale, zeroPoint } = facts
  if (zeroPoint.from !== "zero") return "its zero-point need not be 0"
  if (scale?.pre !== undefined) return "another scale rounds"
  if (!follows(facts) || extremes.includes(scale?.statistic ?? "")) return undefined
  return `every element may have a part in its statistic, ${scale?.statistic}`
}

export const knownClamp: Condition = ({ clamp }) => (clamp === undefined ? "nothing is known of its clamp" : undefined)

/** One kind of number is learned: float scales, which stand in no other place. */
export const learnedScale: Condition = ({ facts: { scale, zeroPoint, slot } }) => {
  if (slot === "truncation") return "its scale is that of the bits dropped"
  if (scale?.pre !== undefined) return "another scale rounds"
  if (scale?.origin.startsWith("learned") !== true || scale.origin.includes("rescaled"))
    return "its scale is not learned"
  if (scale.restriction !== "float") return `what is learned is not the scale: it is a ${scale.restriction}`
  return zeroPoint.from === "zero" ? undefined : "its zero-point moves with the scale"
}

/** A zero-point is learned, which stands in no other place. */
export const learnedZeroPoint: Condition = ({ facts }) => {
  if (facts.zeroPoint.from !== "learned") return "its zero-point is not learned"
  return rangeOf(facts) === undefined ? "the declaration does not tell its range" : undefined
}

/** What is learned begins as the largest magnitude: a percentile as high as that is the largest of as few elements as a test has. */
export const beginning: Condition = ({ facts: { scale, slot } }) => {
  if (slot === "truncation") return "its scale is that of the bits dropped"
  if (scale?.pre !== undefined) return "another scale rounds"
  if (scale?.origin !== "learned") return "its scale is not learned, from a statistic on"
  if (scale.restriction !== "float") return `what is learned is not the scale: it is a ${scale.restriction}`
  return ["max |x|", "99.999 percentile of |x|"].includes(scale.statistic ?? "")
    ? undefined
    : `nothing is known of what it begins as, ${scale.statistic ?? "unnamed"}`
}

/** Beyond the range, values are its ends. */
export const saturating: Condition = ({ facts, clamp }) => {
  if (rangeOf(facts) === undefined) return "the declaration does not tell its range"
  return clamp === "stops" ? undefined : "the gradient passes beyond the range, where q does not change with x"
}
