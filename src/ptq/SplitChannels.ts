/**
 * Channel splitting over a model: the channels with the largest weights are done twice, each by half.
 *
 * Room: ptq (level 5). Imports: effect, `nn` types, `tensor`, `./Channels.ts`, `./Equalize.ts`, `./Prepare.ts`, `./Ptq.ts`,
 * `./Regions.ts`, `./SplitMath.ts`. Laws: test/ptq/Prepare.test.ts.
 */
import { Effect } from "effect"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import type { NonFiniteWeights } from "../tensor/StepErrors.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as Channels from "./Channels.ts"
import * as Equalize from "./Equalize.ts"
import * as Prepare from "./Prepare.ts"
import type * as Ptq from "./Ptq.ts"
import type { Part, Region } from "./Regions.ts"
import * as SplitMath from "./SplitMath.ts"

export interface Options extends Prepare.Options {
  /** how many of the channels, of each connection, are split, 0 to 1; rounded up; default: 0.02 */
  readonly ratio?: number
  /** whether the weights that read a channel are halved, and not those that make it; default: true */
  readonly inputs?: boolean
}

/** What can be wrong. */
export type SplitError = Prepare.StructureError | InvalidOptions | NonFiniteWeights | ResolutionError

const step = "SplitChannels"

type Side = "inputs" | "outputs"

const other: Readonly<Record<Side, Side>> = { inputs: "outputs", outputs: "inputs" }

const partsAt = ({ sources, sinks }: Region, side: Side): ReadonlyArray<Part> => (side === "inputs" ? sinks : sources)

const weightOf = (weights: Prepare.Weights, { own }: Part): Ptq.Host =>
  (weights.get(own) as Readonly<Record<string, Ptq.Host>>).weight as Ptq.Host

/** Why the channels of a region cannot be split, if they cannot: all layers must have just these channels, in one order. */
const refusal = (regions: ReadonlyArray<Region>, region: Region, weights: Prepare.Weights): string | undefined => {
  const whole = JSON.stringify((region.sources[0] as Part).outputs)
  const sides = [...region.sources.map(({ outputs }) => outputs), ...region.sinks.map(({ inputs }) => inputs)]
  if (sides.some((numbers) => JSON.stringify(numbers) !== whole || new Set(numbers).size !== numbers?.length))
    return "its channels are not those of all layers around it, one for one"
  const inGroups = [...region.sources, ...region.sinks].find(
    (part) => SplitMath.axesOf(part.form, weightOf(weights, part).shape) === undefined
  )
  if (inGroups !== undefined) return `${inGroups.name} is a product in groups, or none`
  const isElsewhere = (side: Side): boolean =>
    partsAt(region, side).some((part) => regions.some((one) => one !== region && partsAt(one, side).includes(part)))
  return isElsewhere("inputs") || isElsewhere("outputs") ? "a layer of it is in another region as well" : undefined
}

/** A layer with some channels of one side split. */
const changed = (
  weights: Prepare.Weights,
  part: Part,
  side: Side,
  channels: ReadonlyArray<number>,
  factor: number
): Readonly<Record<string, Ptq.Host>> => {
  const { weight, bias } = weights.get(part.own) as { weight: Ptq.Host; bias?: Ptq.Host }
  const axis = SplitMath.axesOf(part.form, weight.shape)?.[side] as number
  return {
    weight: SplitMath.split(weight, axis, channels, factor),
    ...(bias && { bias: side === "outputs" ? SplitMath.split(bias, 0, channels, factor) : bias })
  }
}

/** The weights with the channels of a region split. */
const split = (weights: Prepare.Weights, region: Region, options: Options): Prepare.Weights => {
  const { ratio = 0.02, inputs = true } = options
  const halved: Side = inputs ? "inputs" : "outputs"
  const parts = partsAt(region, halved)
  const chosen = parts.flatMap((part) => {
    const weight = weightOf(weights, part)
    const side = inputs ? Channels.inputsOf(part.form, weight.shape) : Channels.outputsOf(part.form, weight.shape)
    return SplitMath.largest(Channels.sizesOf(side, weight.data, "maxabs"), ratio)
  })
  const channels = [...new Set(chosen)].sort((a, b) => a - b)
  const next = new Map(weights)
  for (const part of parts) next.set(part.own, changed(next, part, halved, channels, 0.5))
  for (const part of partsAt(region, other[halved])) next.set(part.own, changed(next, part, other[halved], channels, 1))
  return next
}

/**
 * Splits the channels with the largest weights: each is made twice, and read twice by half, so that the range of the weights, and with
 * it their scale, becomes smaller, at the cost of a few more channels. The float network computes the same.
 *
 * Only connections are split whose channels all layers around them have, one for one; what is left is told to `report`. All quantizers
 * begin anew.
 *
 * - formula:  `w_c x_c = w_c / 2 x_c + w_c / 2 x_c` for the `ceil(ratio n)` channels of the largest `max |w_c|`
 * - shapes:   the channels between layers grow
 * - gradient: none
 * - errors:   UnknownStructure; NonFiniteWeights, which names the layer; InvalidOptions; InputError of the model; the model is never
 *   changed
 * - source:   Zhao et al. 2019, arXiv:1901.09504; Brevitas, graph/channel_splitting.py (GraphChannelSplitting)
 *
 * @category preparing
 * @since 0.4.0
 */
export const splitChannels =
  (options: Options): Ptq.Step<SplitError> =>
  (model) =>
    Effect.gen(function* () {
      const { ratio = 0.02 } = options
      if (!(ratio > 0 && ratio <= 1))
        return yield* new InvalidOptions({
          what: step,
          option: "ratio",
          reason: `must be above 0 and at most 1; it is ${ratio}`
        })
      const regions = yield* Prepare.regions(model, { ...options, step })
      const before = yield* Prepare.weightsOf(Equalize.partsOf(regions), step)
      const refused = regions.map((region) => refusal(regions, region, before))
      const taken = regions.filter((_, i) => refused[i] === undefined)
      const weights = taken.reduce((now, region) => split(now, region, options), before)
      const next = yield* Prepare.rewritten(model, weights, "all")
      const skipped = regions.flatMap((region, i) => {
        const reason = refused[i]
        return reason === undefined ? [] : region.sources.map(({ name }) => ({ layer: name, reason }))
      })
      yield* Prepare.done(options, step, Prepare.namesIn(taken), skipped)
      return next
    })
