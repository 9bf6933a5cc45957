import { Calibrate, Noise, Sensitivity } from "breve"
import { Effect } from "effect"
import { batches, network } from "../post-training/model.ts"

/** What the network loses by each layer alone, in decibels: the lowest figure is the layer to spend bits on. */
export const example = Effect.gen(function* () {
  const model = yield* Calibrate.calibrate(batches)(yield* network)
  const { rows } = yield* Sensitivity.measure(model, batches)
  return rows.map(({ layer, network: loss }) => `${layer}: ${Noise.shown(loss)}`)
})

export const shows = ["input: 41.9", "fc1: 23.8", "relu: 42.9", "fc2: 24.7"]
