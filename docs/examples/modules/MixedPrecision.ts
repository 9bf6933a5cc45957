import { Calibrate, MixedPrecision } from "breve"
import { Effect } from "effect"
import { batches, network } from "../post-training/model.ts"

/** Which of three widths each layer gets, so that the network loses least with 3.5 bits for each of its 640 weights. */
export const example = Effect.gen(function* () {
  const model = yield* Calibrate.calibrate(batches)(yield* network)
  const candidates = [2, 3, 4].map((bitWidth) => ({
    quantizer: "Int8WeightPerChannelFloat",
    options: { bitWidth, scalingImplType: "parameterFromStats" }
  }))
  const measured = yield* MixedPrecision.measure(model, batches, candidates)
  const { layers, cost } = yield* MixedPrecision.choose(measured, { of: "size", most: 3.5 * 640 })
  return { bits: layers.map(({ layer, bits }) => `${layer}: ${bits}`), cost }
})

export const shows = { bits: ["fc1: 3", "fc2: 4"], cost: 2048 }
