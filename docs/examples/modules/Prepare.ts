import { MergeBatchNorm, Prepare } from "breve"
import { Effect } from "effect"
import { input, network } from "../float.ts"

/** Which layers of a float network hang together, so that one may make up for what another one changes. */
export const example = Effect.gen(function* () {
  const merged = yield* MergeBatchNorm.merge({ input })(yield* network)
  return Prepare.namesIn(yield* Prepare.regions(merged, { input, step: "example" }))
})

export const shows = ["fc1", "fc2"]
