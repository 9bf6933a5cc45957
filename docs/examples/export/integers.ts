import { IntegerNetwork } from "breve"
import { Effect } from "effect"
import * as Example from "./model.ts"

export const run = Effect.gen(function* () {
  const network = yield* IntegerNetwork.of(yield* Example.make, [1, 16])
  const answer = yield* IntegerNetwork.run(
    network,
    Float32Array.from({ length: 16 }, (_, i) => Math.cos(i))
  )
  const widths = network.accumulators.map(({ layer, bits }) => `${layer}: ${bits} bits`)
  return `${network.steps.map(({ operation }) => operation.op).join(", ")}\n${widths.join(", ")}\n${answer.data}`
})
