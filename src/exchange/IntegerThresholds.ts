/**
 * Floats between integers as comparisons of integers: whatever never turns between a sum and the next grid (a normalization, an
 * activation) comes to thresholds, one set for each channel.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts` types, `./GraphConstants.ts`, `./IntegerProgram.ts` types.
 * Laws: test/exchange/IntegerThresholds.test.ts. Source: Umuroglu, Jahre 2017, arXiv:1709.04060 (streamlining).
 */
import type * as Graph from "./Graph.ts"
import { roundEven } from "./GraphConstants.ts"
import type { Comparing, Integers, Meaning, Stage } from "./IntegerProgram.ts"

// ---- functions ----------------------------------------------------------------------------------------------

const of = (numbers: Float64Array, channel: number): number => numbers[numbers.length === 1 ? 0 : channel] as number

const staged = (x: number, stage: Stage, channel: number): number => {
  switch (stage.op) {
    case "affine":
      return x * of(stage.factor, channel) + of(stage.offset, channel)
    case "clip":
      return Math.min(Math.max(x, stage.low), stage.high)
    case "relu":
      return Math.max(x, 0)
    case "sigmoid":
      return 1 / (1 + Math.exp(-x))
    case "tanh":
      return Math.tanh(x)
  }
}

/** Where an integer of a channel comes in steps of the next grid, before it is rounded. */
export const movedBy = ({ stages }: Pick<Comparing, "stages">, q: number, channel: number): number =>
  stages.reduce((x, stage) => staged(x, stage, channel), q)

const affine = (factor: Float64Array, offset: Float64Array): Stage => ({ op: "affine", factor, offset })

/** What integers mean, as a first stage. */
export const meant = ({ scale, zeroPoint }: Meaning): Stage =>
  affine(
    scale,
    scale.map((s) => -zeroPoint * s + 0)
  )

/** What a node between two grids does, if it is such a function. */
export const stageOf = (operation: Graph.Operation): Stage | undefined => {
  switch (operation.op) {
    case "relu":
    case "sigmoid":
    case "tanh":
      return { op: operation.op }
    case "clip":
      return { op: "clip", low: operation.low, high: operation.high }
    case "affine":
      return affine(Float64Array.of(operation.factor), Float64Array.of(operation.offset))
    case "batchNorm": {
      const { weight, bias, mean, variance, epsilon } = operation
      const factor = Float64Array.from(weight.data, (w, i) => w / Math.sqrt((variance.data[i] as number) + epsilon))
      const offset = factor.map((f, i) => (bias.data[i] as number) - (mean.data[i] as number) * f)
      return affine(factor, offset)
    }
    default:
      return undefined
  }
}

/** Stages that are all affine as one, with as many channels as they have. */
export const joined = (stages: ReadonlyArray<Stage>): Extract<Stage, { op: "affine" }> | undefined => {
  if (!stages.every((stage) => stage.op === "affine")) return undefined
  const count = channelsOf(stages)
  const at = (channel: number): readonly [number, number] => {
    const offset = movedBy({ stages }, 0, channel)
    return [stages.reduce((product, stage) => product * of(stage.factor, channel), 1), offset]
  }
  const all = Array.from({ length: count }, (_, channel) => at(channel))
  return {
    op: "affine",
    factor: Float64Array.from(all, ([factor]) => factor),
    offset: Float64Array.from(all, ([, offset]) => offset)
  }
}

const channelsOf = (stages: ReadonlyArray<Stage>): number =>
  stages.reduce(
    (most, stage) => (stage.op === "affine" ? Math.max(most, stage.factor.length, stage.offset.length) : most),
    1
  )

// ---- thresholds ---------------------------------------------------------------------------------------------

const rounds: Readonly<Record<Graph.Rounding, (x: number) => number>> = {
  nearest: roundEven,
  floor: Math.floor,
  ceil: Math.ceil,
  toZero: Math.trunc,
  other: roundEven
}

/** The least whole number from `low` to `high` where something begins to hold; one more than `high` where it never does. */
const first = (low: number, high: number, holds: (s: number) => boolean): number => {
  let [from, to] = [low, high + 1]
  while (from < to) {
    const middle = Math.floor((from + to) / 2)
    if (holds(middle)) to = middle
    else from = middle + 1
  }
  return from
}

type Levels = Pick<Comparing, "low" | "high" | "step" | "base" | "rounding" | "stages">

/** The comparisons that do what stages and a rounding do to integers of a range; undefined: their numbers are not finite. */
export const make = (levels: Levels, input: Pick<Meaning, "low" | "high">): Comparing | undefined => {
  const { low, high, stages, rounding } = levels
  const [channels, count] = [channelsOf(stages), high - low]
  const signs = new Int32Array(channels)
  const data = new Int32Array(channels * count)
  for (let channel = 0; channel < channels; channel++) {
    const [start, end] = [input.low, input.high].map((q) => movedBy(levels, q, channel)) as [number, number]
    if (Number.isNaN(start) || Number.isNaN(end)) return undefined
    const sign = end >= start ? 1 : -1
    signs[channel] = sign
    const [least, most] = sign === 1 ? [input.low, input.high] : [-input.high, -input.low]
    for (let k = 0; k < count; k++)
      data[channel * count + k] = first(
        least,
        most,
        (s) => rounds[rounding](movedBy(levels, sign * s, channel)) > low + k
      )
  }
  return { ...levels, signs, thresholds: { shape: [channels, count], data } }
}

/** How many thresholds of a row are not above a number. */
const reached = (rows: Int32Array, from: number, count: number, s: number): number => {
  let [low, high] = [0, count]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((rows[from + middle] as number) <= s) low = middle + 1
    else high = middle
  }
  return low
}

/** Integers through comparisons. */
export const compared = (x: Integers, { thresholds, signs, low, step, base }: Comparing): Integers => {
  const [channels = 1, count = 0] = thresholds.shape
  const data = x.data.map((q, i) => {
    const channel = i % channels
    const u = low + reached(thresholds.data, channel * count, count, q * (signs[channel] as number))
    return step * u + base
  })
  return { shape: x.shape, data }
}
