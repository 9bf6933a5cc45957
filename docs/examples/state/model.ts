import { Activation, Linear, Model } from "breve"
import { Effect } from "effect"

/** Two layers with a quantized activation between them; it collects statistics for three training steps. */
export const make = (seed = 0) =>
  Effect.gen(function* () {
    return Model.sequential({
      fc1: yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 3, seed }),
      act: yield* Activation.quantReLU({ act: { collectStatsSteps: 3 } }),
      fc2: yield* Linear.quantLinear({ inFeatures: 3, outFeatures: 1, seed })
    })
  })
