import { NormCorrection, type Ptq, State, Stored } from "breve"
import { Effect } from "effect"
import { batches, network } from "../float.ts"

/** Running statistics of a batch normalization measured anew: they fit what reaches it now. */
export const example = Effect.gen(function* () {
  const model = yield* network
  const measured = yield* NormCorrection.reestimate(batches)(model)
  const means = (one: Ptq.Model) =>
    Effect.map(State.extract(one), ({ "norm.runningMean": mean }) => mean && Stored.floats(mean).subarray(0, 3))
  return { before: yield* means(model), after: yield* means(measured) }
})

export const shows = { before: [0, 0, 0], after: [-0.477145, -0.263531, -0.392224] }
