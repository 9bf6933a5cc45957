/**
 * Statistics and views from the configurations of the vectors.
 */
import * as Statistic from "../../../../src/core/Statistic.ts"
import * as View from "../../../../src/core/View.ts"

const given = <A>(u: A | null | undefined): A | undefined => u ?? undefined

const reductionOf = (config: any) => ({
  statsReduceDim: given<number>(config.stats_reduce_dim),
  keepdim: config.keepdim ?? false
})
const percentilesOf = (config: any) => ({
  lowPercentileQ: config.low_percentile_q,
  highPercentileQ: config.high_percentile_q
})
const deviationsOf = (config: any) => ({
  sigma: config.sigma ?? 1,
  ...(config.std_dev_epsilon !== undefined && { stdDevEpsilon: config.std_dev_epsilon })
})

const statistics: Readonly<Record<string, (config: any) => Statistic.Statistic>> = {
  AbsMax: (config) => Statistic.AbsMax(reductionOf(config)),
  AbsMinMax: (config) => Statistic.AbsMinMax(reductionOf(config)),
  NegativeMinOrZero: (config) => Statistic.NegativeMinOrZero(reductionOf(config)),
  AbsAve: (config) => Statistic.AbsAve(reductionOf(config)),
  AbsMaxAve: (config) => Statistic.AbsMaxAve(reductionOf(config)),
  AbsMaxL2: (config) => Statistic.AbsMaxL2(reductionOf(config)),
  L1Norm: (config) => Statistic.L1Norm(reductionOf(config)),
  L2Norm: (config) => Statistic.L2Norm(reductionOf(config)),
  MeanSigmaStd: (config) => Statistic.MeanSigmaStd({ ...reductionOf(config), ...deviationsOf(config) }),
  MeanLearnedSigmaStd: (config) => Statistic.MeanLearnedSigmaStd({ ...reductionOf(config), ...deviationsOf(config) }),
  AbsPercentile: (config) => Statistic.AbsPercentile({ ...reductionOf(config), ...percentilesOf(config) }),
  NegativePercentileOrZero: (config) =>
    Statistic.NegativePercentileOrZero({ ...reductionOf(config), ...percentilesOf(config) }),
  PercentileInterval: (config) => Statistic.PercentileInterval({ ...reductionOf(config), ...percentilesOf(config) }),
  KLMinimizerThreshold: (config) =>
    Statistic.KLMinimizerThreshold({
      signed: config.signed,
      bitWidth: config.bit_width,
      ...(config.num_bins !== undefined && { numBins: config.num_bins }),
      ...(config.smoothing_eps !== undefined && { smoothingEps: config.smoothing_eps })
    })
}

/** Whether the name is a statistic's. */
export const isStatistic = (name: string): boolean => Object.hasOwn(statistics, name)

/** The statistic `stats_op` (or `op`) of a configuration. */
export const statisticOf = (config: any): Statistic.Statistic => {
  const name = config.stats_op ?? config.op
  const make = isStatistic(name) ? statistics[name] : undefined
  if (make === undefined) throw new Error(`unknown statistic "${name}"`)
  return make(config)
}

const permuteOf = (config: any) => ({ permuteDims: given<ReadonlyArray<number>>(config.permute_dims) })
const groupsOf = (config: any) => ({ groupSize: config.group_size, groupDim: config.group_dim })

const views: Readonly<Record<string, (config: any) => View.View>> = {
  Identity: () => View.Identity({}),
  PermuteDims: (config) => View.PermuteDims({ permuteDims: config.permute_dims }),
  OverTensorView: () => View.OverTensorView({}),
  OverOutputChannelView: (config) => View.OverOutputChannelView(permuteOf(config)),
  OverBatchOverTensorView: (config) => View.OverBatchOverTensorView(permuteOf(config)),
  OverBatchOverOutputChannelView: (config) => View.OverBatchOverOutputChannelView(permuteOf(config)),
  OverOutputFeaturesView: (config) => View.OverOutputFeaturesView(permuteOf(config)),
  OverSubChannelBlockView: (config) =>
    View.OverSubChannelBlockView({
      ...groupsOf(config),
      expandedGroupwiseShape: config.expanded_groupwise_shape
    }),
  DynamicOverSubChannelBlockView: (config) => View.DynamicOverSubChannelBlockView(groupsOf(config))
}

/** Whether the name is a view's. */
export const isView = (name: string): boolean => Object.hasOwn(views, name)

/** The view `view` of a configuration; the tensor as it is if there is none. */
export const viewOf = (config: any): View.View => {
  const name = config.view ?? "Identity"
  const make = isView(name) ? views[name] : undefined
  if (make === undefined) throw new Error(`unknown view "${name}"`)
  return make(config)
}
