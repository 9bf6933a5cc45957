/**
 * Statistics of how values are spread, as bricks: deviations, percentiles, and the clipping that loses the least.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./Brick.ts`, `./Reducing.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import { klThreshold } from "../op/Histogram.ts"
import * as Percentile from "../op/Percentile.ts"
import { meanSigmaStd } from "../op/Statistic.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Brick from "./Brick.ts"
import { AbsMax, make, over, reduction, type Statistic, zero } from "./Reducing.ts"

const required = <A>(what: string, option: string, given: A, holds: boolean, reason: string): A => {
  if (!holds) throw new InvalidOptions({ what, option, reason: `${reason}, not ${String(given)}` })
  return given
}

// ---- deviations ---------------------------------------------------------------------------------------------

const deviations = {
  /** how many standard deviations beyond the mean */
  sigma: Injector.required<number>(),
  stdDevEpsilon: Injector.optional(1e-8),
  ...reduction
}
const impl = Brick.shown("_MeanSigmaStdImpl")
const checked = (
  what: string,
  { sigma, stdDevEpsilon }: { readonly sigma: number; readonly stdDevEpsilon: number }
) => {
  required(what, "sigma", sigma, Number.isFinite(sigma), "is a number")
  required(what, "stdDevEpsilon", stdDevEpsilon, stdDevEpsilon >= 0, "is not negative")
}

/** The mean magnitude and `sigma` standard deviations more; along an axis as a vector, unless that is kept. */
export const MeanSigmaStd = Injector.component("MeanSigmaStd", deviations, (given): Statistic => {
  const { sigma, stdDevEpsilon } = given
  checked("MeanSigmaStd", given)
  const options = over("MeanSigmaStd", given)
  return make("MeanSigmaStd", (x) => meanSigmaStd(x, sigma, stdDevEpsilon, options), {
    impl,
    sigma: Brick.shown("StatelessBuffer")
  })
})

/** The same with a learned `sigma`, one for all or one for each slice, which begins as the given one. */
export const MeanLearnedSigmaStd = Brick.component(
  "MeanLearnedSigmaStd",
  {
    ...deviations,
    /** the shape of `sigma` */
    statsOutputShape: Injector.optional<ReadonlyArray<number>>([])
  },
  (given): Statistic => {
    const { stdDevEpsilon, statsOutputShape } = given
    checked("MeanLearnedSigmaStd", given)
    const options = over("MeanLearnedSigmaStd", given)
    return Brick.make(
      "MeanLearnedSigmaStd",
      { impl },
      { parameters: { sigma: tf.fill([...statsOutputShape], given.sigma) } },
      {
        apply: ({ parameters }: Brick.State, x: tf.Tensor) =>
          [meanSigmaStd(x, parameters.sigma as tf.Tensor, stdDevEpsilon, options), {}] as const
      }
    )
  }
)

// ---- percentiles --------------------------------------------------------------------------------------------

const percentile = (what: string, option: string, q: number): number =>
  required(what, option, q, q >= 0 && q <= 100, "is a percentage from 0 to 100")

/** The magnitude at the percentile `highPercentileQ`. */
export const AbsPercentile = Injector.component(
  "AbsPercentile",
  { ...reduction, highPercentileQ: Injector.required<number>() },
  ({ highPercentileQ, ...given }): Statistic => {
    const q = percentile("AbsPercentile", "highPercentileQ", highPercentileQ)
    const options = over("AbsPercentile", given)
    return make("AbsPercentile", (x) => Percentile.absPercentile(x, q, options))
  }
)

/** The element at the percentile `lowPercentileQ`, if it is negative. */
export const NegativePercentileOrZero = Injector.component(
  "NegativePercentileOrZero",
  { ...reduction, lowPercentileQ: Injector.required<number>() },
  ({ lowPercentileQ, ...given }): Statistic => {
    const q = percentile("NegativePercentileOrZero", "lowPercentileQ", lowPercentileQ)
    const options = over("NegativePercentileOrZero", given)
    return make("NegativePercentileOrZero", (x) => Percentile.negativePercentileOrZero(x, q, options), zero)
  }
)

/** The distance between the elements at two percentiles, the lower of which counts as 0 if it is positive. */
export const PercentileInterval = Injector.component(
  "PercentileInterval",
  { ...reduction, lowPercentileQ: Injector.required<number>(), highPercentileQ: Injector.required<number>() },
  ({ lowPercentileQ, highPercentileQ, ...given }): Statistic => {
    const low = percentile("PercentileInterval", "lowPercentileQ", lowPercentileQ)
    const high = percentile("PercentileInterval", "highPercentileQ", highPercentileQ)
    const options = over("PercentileInterval", given)
    return make("PercentileInterval", (x) => Percentile.percentileInterval(x, low, high, options), zero)
  }
)

// ---- clipping -----------------------------------------------------------------------------------------------

/** The clipping threshold that loses the least information (Kullback and Leibler) when `bitWidth` bits are left. */
export const KLMinimizerThreshold = Injector.component(
  "KLMinimizerThreshold",
  {
    signed: Injector.required<boolean>(),
    bitWidth: Injector.required<number>(),
    /** of the histogram: an odd number, so that one is in the middle */
    numBins: Injector.optional(1001),
    /** what an empty bin counts as */
    smoothingEps: Injector.optional(1e-4)
  },
  ({ signed, bitWidth, numBins, smoothingEps }): Statistic => {
    const what = "KLMinimizerThreshold"
    const lowest = signed ? 2 : 1
    const whole = Number.isInteger(bitWidth) && bitWidth >= lowest && bitWidth <= 32
    required(what, "bitWidth", bitWidth, whole, `is a whole number from ${lowest} to 32`)
    const levels = 2 ** (signed ? bitWidth - 1 : bitWidth) - 1
    required(what, "numBins", numBins, numBins % 2 === 1 && numBins >= levels, `is odd and at least ${levels}`)
    required(what, "smoothingEps", smoothingEps, smoothingEps >= 0, "is not negative")
    return make(what, (x) => klThreshold(x, levels, numBins, smoothingEps), {
      bitWidthImpl: Brick.shown("BitWidthConst", { bitWidth: Brick.shown("StatelessBuffer") }),
      absmaxImpl: AbsMax({})
    })
  }
)
