import { Calibrate, State } from "breve"
import { Effect } from "effect"
import { batches, network } from "../post-training/model.ts"

/** Activations learn their scales from batches that run through the float network; the model that was given stays as it is. */
export const example = Effect.gen(function* () {
  const model = yield* network
  const calibrated = yield* Calibrate.calibrate(batches)(model)
  const scales = Object.entries(yield* State.parameters(calibrated)).filter(([name]) => name.includes("scalingImpl"))
  return scales.map(([name, scale]) => [name, scale.size])
})

export const shows = [
  ["input.actQuant.scalingImpl.value", 1],
  ["fc1.weightQuant.scalingImpl.value", 32],
  ["relu.actQuant.scalingImpl.value", 1],
  ["fc2.weightQuant.scalingImpl.value", 4]
]
