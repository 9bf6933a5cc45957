import { Calibrate, Gpfq, Noise, type Ptq } from "breve"
import { Effect } from "effect"
import { batches, network } from "../post-training/model.ts"

/** Each column of a weight makes up for what the columns before it have lost. */
export const example = Effect.gen(function* () {
  const model = yield* Calibrate.calibrate(batches)(yield* network)
  const rounded = yield* Gpfq.gpfq(batches)(model)
  const decibels = (quantized: Ptq.Model) => Effect.map(Noise.between(model, quantized, batches), Noise.shown)
  return { nearest: yield* decibels(model), gpfq: yield* decibels(rounded) }
})

export const shows = { nearest: "21.2", gpfq: "25.2" }
