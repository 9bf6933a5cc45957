import { FloatStatistics } from "breve"
import { Effect } from "effect"
import { batches, network } from "../post-training/model.ts"

/** What runs through a float network: the share of outliers beyond six standard deviations tells where few bits will hurt. */
export const example = Effect.gen(function* () {
  const { rows } = yield* FloatStatistics.measure(yield* network, batches)
  return rows.map(({ layer, of, counted }) => ({
    layer,
    of,
    deviation: FloatStatistics.deviation(counted),
    outliers: FloatStatistics.outliers(counted)
  }))
})

export const shows = [
  { layer: "fc1", of: "weight", deviation: 0.144885, outliers: 0 },
  { layer: "fc2", of: "weight", deviation: 0.0972357, outliers: 0 },
  { layer: "input", of: "output", deviation: 1.04927, outliers: 0 },
  { layer: "fc1", of: "output", deviation: 0.569233, outliers: 0 },
  { layer: "relu", of: "output", deviation: 0.335936, outliers: 0.000244141 },
  { layer: "fc2", of: "output", deviation: 0.241123, outliers: 0 }
]
