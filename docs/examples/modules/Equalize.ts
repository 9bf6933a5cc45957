import { Equalize, MergeBatchNorm } from "breve"
import { Effect } from "effect"
import { decibels, input, network } from "../float.ts"

/** What one layer makes larger the next one makes smaller: 8 bits per tensor lose less. */
export const example = Effect.gen(function* () {
  const merged = yield* MergeBatchNorm.merge({ input })(yield* network)
  const equal = yield* Equalize.equalize({ input })(merged)
  return { before: yield* decibels(merged), after: yield* decibels(merged, equal) }
})

export const shows = { before: "10.8", after: "34.8" }
