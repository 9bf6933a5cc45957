import { BiasCorrection, Calibrate, Noise, type Ptq } from "breve"
import { Effect } from "effect"
import { batches, network } from "../post-training/model.ts"

/** What the quantization of a layer shifts its outputs by is taken back by its bias. */
export const example = Effect.gen(function* () {
  const model = yield* Calibrate.calibrate(batches)(yield* network)
  const corrected = yield* BiasCorrection.correct(batches)(model)
  const decibels = (quantized: Ptq.Model) => Effect.map(Noise.between(model, quantized, batches), Noise.shown)
  return { before: yield* decibels(model), after: yield* decibels(corrected) }
})

export const shows = { before: "21.2", after: "21.3" }
