import { Calibrate, Noise, type Ptq, RoundLearning } from "breve"
import { Effect } from "effect"
import { batches, network } from "../post-training/model.ts"

/** AutoRound: what is added before rounding is learned, layer by layer, so that the outputs are near the float ones. */
export const example = Effect.gen(function* () {
  const model = yield* Calibrate.calibrate(batches)(yield* network)
  const learned = yield* RoundLearning.autoRound(batches, { iterations: 50 })(model)
  const decibels = (quantized: Ptq.Model) => Effect.map(Noise.between(model, quantized, batches), Noise.shown)
  return { nearest: yield* decibels(model), learned: yield* decibels(learned) }
})

export const shows = { nearest: "21.2", learned: "22.8" }
