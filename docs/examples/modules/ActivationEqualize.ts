import { ActivationEqualize, MergeBatchNorm } from "breve"
import { Effect } from "effect"
import { batches, decibels, input, network } from "../float.ts"

/** SmoothQuant: channels whose values are large become smaller, and the weights that read them larger. */
export const example = Effect.gen(function* () {
  const merged = yield* MergeBatchNorm.merge({ input })(yield* network)
  const equal = yield* ActivationEqualize.equalize(batches, { input })(merged)
  return { before: yield* decibels(merged), after: yield* decibels(merged, equal) }
})

export const shows = { before: "10.8", after: "34.6" }
