import { Calibrate, LowRank, Noise, type Ptq } from "breve"
import { Effect } from "effect"
import { batches, network } from "../post-training/model.ts"

/** SVDQuant: a narrow float branch beside each layer takes the largest singular values, what remains is easier to quantize. */
export const example = Effect.gen(function* () {
  const model = yield* Calibrate.calibrate(batches)(yield* network)
  const branched = yield* LowRank.correct({ rank: 2 })(model)
  const decibels = (quantized: Ptq.Model) => Effect.map(Noise.between(model, quantized, batches), Noise.shown)
  return { plain: yield* decibels(model), branched: yield* decibels(branched) }
})

export const shows = { plain: "21.2", branched: "23.6" }
