/**
 * Where a quantizer puts things: codes, their range and number, how far a value moves.
 *
 * Room: laws. Imports: its own room.
 */
import * as Claims from "./Claims.ts"
import * as Look from "./Look.ts"
import * as QuantizerLaw from "./QuantizerLaw.ts"
import type { Ready } from "./Subject.ts"

const { codeOf, every, look, onGrid, positionOf, slackAt } = Look

const bounds = ({ promised }: Ready): readonly [low: number, high: number] =>
  Claims.rangeOf(promised.facts) ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]

/** No code lies beyond the lowest and the highest one. */
export const range: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "range",
    states: "low <= q(x)/s + z <= high",
    claimed: "where the declaration tells the range",
    conditions: [Claims.knownRange]
  },
  QuantizerLaw.ordinary,
  (ready, { x }) => {
    const seen = look(ready, x)
    const [low, high] = bounds(ready)
    return every(onGrid(seen), seen, (i) => {
      const code = codeOf(seen, i)
      const slack = slackAt(seen, i)
      return (code < low - slack || code > high + slack) && `code ${code}, outside of ${low}..${high}`
    })
  }
)

/** So many elements of one scale that more than 8 bits would be needed to tell them apart. */
const many = (ready: Ready): ReadonlyArray<number> => {
  const { slot, scale } = ready.promised.facts
  // groups of a weight belong to its layer
  if (slot === "weight" && scale?.per === "group") return ready.shape
  const axis = scale?.per === "row" ? ready.shape.length - 1 : 0
  const others = ready.shape.filter((_, i) => i !== axis).reduce((a, b) => a * b, 1)
  return ready.shape.with(axis, Math.ceil((4 * 2 ** Claims.countableBits) / others))
}

/** No more values come out than the bits can name, for each scale. */
export const fewLevels: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "few levels",
    states: "|{ q(x)_i : s_i = s }| <= 2^b",
    claimed: "of at most 8 bits, where more elements than codes can have a scale together",
    conditions: [Claims.countable],
    weight: 3
  },
  (ready) => ({
    x: QuantizerLaw.inputs({ ...ready, shape: many(ready) }, ["bell", "ties", "outlier", "wide", "positive"])
  }),
  (ready, { x }) => {
    const seen = look(ready, x)
    const levels = new Map<number, Map<number, Set<number>>>()
    for (const i of onGrid(seen)) {
      const [s, z] = [seen.scale[i] as number, seen.zeroPoint[i] as number]
      const ofScale = levels.get(s) ?? new Map<number, Set<number>>()
      levels.set(s, ofScale.set(z, (ofScale.get(z) ?? new Set()).add(seen.value[i] as number)))
    }
    const most = Math.max(0, ...[...levels.values()].flatMap((of) => [...of.values()].map(({ size }) => size)))
    return most <= 2 ** seen.bits || `${most} values of one scale, more than ${seen.bits} bits can name`
  }
)

/** The answered width is the declared one. */
export const width: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "width",
    states: "b(q(x)) = b",
    claimed: "where the declaration tells a width that is not learned",
    conditions: [Claims.knownBits]
  },
  QuantizerLaw.ordinary,
  (ready, { x }) => {
    const { bits } = look(ready, x)
    return bits === ready.promised.facts.bits || `it answers ${bits} bits, not ${ready.promised.facts.bits}`
  }
)

/** Values are integers, counted from the zero-point, times the scale. */
export const grid: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "grid",
    states: "q(x) = s (n - z), n whole",
    claimed: "of integers, binary and ternary values",
    conditions: [Claims.integers]
  },
  QuantizerLaw.ordinary,
  (ready, { x }) => {
    const seen = look(ready, x)
    return every(onGrid(seen), seen, (i) => {
      const code = codeOf(seen, i)
      return Math.abs(code - Math.round(code)) > 4 * slackAt(seen, i) && `code ${code}, which is not whole`
    })
  }
)

/** The step of a minifloat's grid at a number. */
const stepAt = (u: number, mantissaBits: number, bias: number): number => {
  const exponent = u === 0 ? 1 - bias : Math.max(Math.floor(Math.log2(Math.abs(u))), 1 - bias)
  return 2 ** (exponent - mantissaBits)
}

/** Values are numbers of the format, times the scale. */
export const minifloat: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "minifloat",
    states: "q(x)/s is 0 or +-2^e (1 + m/2^M) or +-2^emin m/2^M of its format",
    claimed: "of minifloats whose widths are told",
    conditions: [Claims.minifloats]
  },
  QuantizerLaw.ordinary,
  (ready, { x }) => {
    const seen = look(ready, x)
    const { format } = ready.promised.facts
    const { mantissaBits = 0, bias = 0 } = format.kind === "minifloat" ? format : {}
    return every(onGrid(seen), seen, (i) => {
      const code = Math.fround(codeOf(seen, i))
      const mantissa = code / stepAt(code, mantissaBits, bias)
      return (
        Number.isFinite(code) &&
        Math.abs(mantissa - Math.round(mantissa)) > 2 ** -10 &&
        `code ${code}, which is none of the format`
      )
    })
  }
)

/** Rounded as is said: to nearest moves by half a step at most; beyond the range to its end. */
export const rounding: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "rounding",
    states:
      "clamp(u - a) <= q(x)/s + z <= clamp(u + b), u = x/s' + z', a and b half a step (to nearest), one and none (down, ...)",
    claimed: "where the rounding is one of the known ones",
    conditions: [Claims.knownRounding]
  },
  QuantizerLaw.ordinary,
  (ready, { x }) => {
    const seen = look(ready, x)
    const { format, rounding } = ready.promised.facts
    const [low, high] = bounds(ready)
    const clamped = (u: number): number => Math.min(high, Math.max(low, u))
    return every(onGrid(seen), seen, (i) => {
      const [u, code] = [positionOf(seen, i), codeOf(seen, i)]
      if (format.kind === "minifloat" && !Number.isFinite(code)) return false
      const step = format.kind === "minifloat" ? stepAt(u, format.mantissaBits ?? 0, format.bias ?? 0) : 1
      const [below, above] = Claims.reachOf(rounding, u) ?? [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
      const slack = 4 * slackAt(seen, i) * Math.min(1, step)
      const [least, most] = [clamped(u - below * step) - slack, clamped(u + above * step) + slack]
      return (code < least || code > most) && `code ${code} for the position ${u}, outside of ${least}..${most}`
    })
  }
)

/** The lowest code of a narrow range is not used, however far below x lies. */
export const narrowRange: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "narrow range",
    states: "q(x)/s + z > -2^(b-1) if signed, < 2^b - 1 if not",
    claimed: "of narrow integers",
    conditions: [Claims.integers, Claims.narrow]
  },
  (ready) => ({ x: QuantizerLaw.inputs(ready, ["outlier", "ties", "negative", "positive", "wide"]) }),
  (ready, { x }) => {
    const seen = look(ready, x)
    const { format } = ready.promised.facts
    const signed = format.kind === "integer" && format.signed !== false
    const left = signed ? -(2 ** (seen.bits - 1)) : 2 ** seen.bits - 1
    return every(
      onGrid(seen),
      seen,
      (i) => Math.round(codeOf(seen, i)) === left && `code ${left}, which a narrow range leaves out`
    )
  }
)

/** What is larger does not become smaller, on one grid. */
export const monotone: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "monotone",
    states: "x_i <= x_j => q(x)_i <= q(x)_j, where s_i = s_j and z_i = z_j",
    claimed: "where elements do not learn how they are rounded",
    conditions: [Claims.orderly]
  },
  QuantizerLaw.ordinary,
  (ready, { x }) => {
    const seen = look(ready, x)
    const grid = (i: number): string =>
      `${seen.scale[i]} ${seen.preScale[i]} ${seen.zeroPoint[i]} ${seen.preZeroPoint[i]}`
    const order = onGrid(seen).toSorted((a, b) => (seen.x[a] as number) - (seen.x[b] as number))
    const last = new Map<string, number>()
    return every(order, seen, (i) => {
      const before = last.get(grid(i))
      last.set(grid(i), i)
      return (
        before !== undefined &&
        (seen.value[before] as number) > (seen.value[i] as number) &&
        `but element ${before}, ${seen.x[before]}, becomes ${seen.value[before]}`
      )
    })
  }
)

/** Scales are positive numbers; zero-points are whole and within the range where they say so. */
export const positiveScale: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "scale",
    states: "0 < s < infinity; z whole and low <= z <= high where it is rounded",
    claimed: "always",
    conditions: []
  },
  QuantizerLaw.ordinary,
  (ready, { x }) => {
    const seen = look(ready, x)
    const [low, high] = bounds(ready)
    const { zeroPoint, slot } = ready.promised.facts
    const whole = zeroPoint.whole && slot !== "truncation"
    return every(seen.x.keys(), seen, (i) => {
      const [s, z] = [seen.scale[i] as number, seen.zeroPoint[i] as number]
      if (!(s > 0 && Number.isFinite(s))) return `with the scale ${s}`
      return (
        whole && (!Number.isInteger(z) || z < Math.min(0, low) || z > Math.max(0, high)) && `with the zero-point ${z}`
      )
    })
  }
)

export const all: ReadonlyArray<QuantizerLaw.Any> = [
  range,
  fewLevels,
  width,
  grid,
  minifloat,
  rounding,
  narrowRange,
  monotone,
  positiveScale
]
