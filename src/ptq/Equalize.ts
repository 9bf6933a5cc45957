/**
 * Cross-layer weight equalization over a model: what one layer makes larger the next ones make smaller, so that the channels of their
 * weights have the same size.
 *
 * Room: ptq (level 5). Imports: effect, `proxy` types, `tensor`, `./Channels.ts`, `./EqualizeMath.ts`, `./Prepare.ts`, `./Ptq.ts`,
 * `./Regions.ts`. Laws: test/ptq/Equalize.test.ts.
 */
import { Effect } from "effect"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import type { NonFiniteWeights } from "../tensor/StepErrors.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as Channels from "./Channels.ts"
import * as EqualizeMath from "./EqualizeMath.ts"
import * as Prepare from "./Prepare.ts"
import type * as Ptq from "./Ptq.ts"
import type { Part, Region } from "./Regions.ts"

export interface Options extends Prepare.Options {
  /** how often all regions are equalized, unless nothing is left to do before; default: 10 */
  readonly iterations?: number
  /** ends when all factors are this near to 1; default: 0.05 */
  readonly threshold?: number
  /** whether a bias counts for the size of its channel; default: true */
  readonly mergeBias?: boolean
  /** how much less it counts; default: "vaiq" */
  readonly biasShrinkage?: EqualizeMath.Shrinkage
  /** default: "maxabs" */
  readonly measure?: Channels.Measure
}

/** What can be wrong. */
export type EqualizeError = Prepare.StructureError | NonFiniteWeights | InvalidOptions | ResolutionError

const name = "Equalize"

const refused = (option: string, reason: string): InvalidOptions => new InvalidOptions({ what: name, option, reason })

const wrong = ({ iterations = 10, threshold = 0.05, biasShrinkage = "vaiq" }: Options): InvalidOptions | undefined => {
  if (!(Number.isInteger(iterations) && iterations >= 0))
    return refused("iterations", `must be a whole number from 0 up; it is ${iterations}`)
  if (!(threshold >= 0)) return refused("threshold", `must be a number from 0 up; it is ${threshold}`)
  return biasShrinkage === "vaiq" || biasShrinkage > 0
    ? undefined
    : refused("biasShrinkage", `must be "vaiq" or a number above 0; it is ${biasShrinkage}`)
}

// ---- sizes --------------------------------------------------------------------------------------------------

/** For each channel of a region the largest size that one of some sides has. */
export const largest = (
  { channels }: Region,
  sides: ReadonlyArray<{ readonly numbers: ReadonlyArray<number>; readonly sizes: ArrayLike<number> }>
): Float64Array => {
  const places = new Map(channels.map((number, i) => [number, i]))
  const most = new Float64Array(channels.length)
  for (const { numbers, sizes } of sides)
    for (const [channel, number] of numbers.entries()) {
      const at = places.get(number)
      if (at !== undefined) most[at] = Math.max(most[at] as number, sizes[channel] as number)
    }
  return most
}

/** The sizes of the channels that a layer makes. */
export const sourceOf = (weights: Prepare.Weights, { own, form, outputs }: Part, options: Omit<Options, "input">) => {
  const { mergeBias = true, biasShrinkage = "vaiq", measure = "maxabs" } = options
  const weight = Prepare.numbersOf(weights, own, "weight") as Ptq.Host
  const bias = mergeBias ? Prepare.numbersOf(weights, own, "bias")?.data : undefined
  const side = Channels.outputsOf(form, weight.shape)
  const by = bias && EqualizeMath.shrinkage(weight.data, side.channel, bias, biasShrinkage)
  const more = bias?.map((value) => value / (by as number))
  return { numbers: outputs, sizes: Channels.sizesOf(side, weight.data, measure, more) }
}

/** The sizes of the channels that a layer reads. */
export const sinkOf = (weights: Prepare.Weights, { own, form, inputs = [] }: Part, measure: Channels.Measure) => {
  const weight = Prepare.numbersOf(weights, own, "weight") as Ptq.Host
  return { numbers: inputs, sizes: Channels.sizesOf(Channels.inputsOf(form, weight.shape), weight.data, measure) }
}

// ---- factors ------------------------------------------------------------------------------------------------

/** The factors of a side, 1 where it has none. */
export const spread = (
  { channels }: Region,
  numbers: ReadonlyArray<number>,
  factors: ArrayLike<number>
): Float32Array => {
  const places = new Map(channels.map((number, i) => [number, i]))
  return Float32Array.from(numbers, (number) => {
    const at = places.get(number)
    return at === undefined ? 1 : (factors[at] as number)
  })
}

/** Weights whose sources have been multiplied, and whose sinks have been divided. */
export const applied = (weights: Prepare.Weights, region: Region, factors: ArrayLike<number>): Prepare.Weights => {
  const next = new Map(weights)
  for (const { own, form, outputs } of region.sources) {
    const { weight, bias, ...rest } = next.get(own) as Readonly<Record<"weight" | "bias", Ptq.Host>>
    const by = spread(region, outputs, factors)
    next.set(own, {
      ...rest,
      weight: { ...weight, data: Channels.times(Channels.outputsOf(form, weight.shape), weight.data, by) },
      ...(bias && { bias: { ...bias, data: bias.data.map((value, i) => value * (by[i] as number)) } })
    })
  }
  for (const { own, form, inputs = [] } of region.sinks) {
    const { weight, ...rest } = next.get(own) as Readonly<Record<string, Ptq.Host>> & { readonly weight: Ptq.Host }
    const by = spread(region, inputs, factors)
    const data = Channels.over(Channels.inputsOf(form, weight.shape), weight.data, by)
    next.set(own, { ...rest, weight: { ...weight, data } })
  }
  return next
}

/** The layers of regions that have weights. */
export const partsOf = (regions: ReadonlyArray<Region>): ReadonlyArray<Part> => [
  ...new Map(regions.flatMap(({ sources, sinks }) => [...sources, ...sinks]).map((part) => [part.own, part])).values()
]

/** The weights after all iterations. */
const equalized = (before: Prepare.Weights, regions: ReadonlyArray<Region>, options: Options): Prepare.Weights => {
  const { iterations = 10, threshold = 0.05, measure = "maxabs" } = options
  let weights = before
  for (let i = 0; i < iterations; i++) {
    let far = 0
    for (const region of regions) {
      const from = largest(
        region,
        region.sources.map((part) => sourceOf(weights, part, options))
      )
      const to = largest(
        region,
        region.sinks.map((part) => sinkOf(weights, part, measure))
      )
      const factors = EqualizeMath.factors(from, to)
      far = Math.max(far, EqualizeMath.distance(factors))
      weights = applied(weights, region, factors)
    }
    if (far < threshold) break
  }
  return weights
}

/**
 * Equalizes the sizes of channels between layers that feed each other, through whatever a factor passes: rectifiers, pools,
 * flattening, additions, concatenations, depthwise and grouped convolutions. The float network computes the same.
 *
 * All quantizers begin anew: equalize before calibrating. A batch normalization is a source, not a sink: merge it before
 * (`MergeBatchNorm.merge`), and more is equalized.
 *
 * ```ts
 * const equal = yield* pipe(model, Equalize.equalize({ input: [1, 28, 28, 1] }))
 * ```
 *
 * - formula:  `s_c = sqrt(sink_c / source_c)` over all that make or read the channel c; `W_source, b_source` times s, `W_sink` divided;
 *   region after region, until all s are near 1
 * - shapes:   `input [n, ...d]`
 * - gradient: none
 * - errors:   UnknownStructure; NonFiniteWeights, which names the layer; InvalidOptions; InputError of the model; the model is never
 *   changed
 * - source:   Nagel et al. 2019, arXiv:1906.04721 (section 4.1); Brevitas, graph/equalize.py (EqualizeGraph)
 *
 * @category preparing
 * @since 0.4.0
 */
export const equalize =
  (options: Options): Ptq.Step<EqualizeError> =>
  (model) =>
    Effect.gen(function* () {
      const bad = wrong(options)
      if (bad !== undefined) return yield* bad
      const regions = yield* Prepare.regions(model, { ...options, step: name })
      const before = yield* Prepare.weightsOf(partsOf(regions), name)
      const next = yield* Prepare.rewritten(model, equalized(before, regions, options), "all")
      yield* Prepare.done(options, name, Prepare.namesIn(regions))
      return next
    })
