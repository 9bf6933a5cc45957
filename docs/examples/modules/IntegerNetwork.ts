import { IntegerNetwork } from "breve"
import { Effect } from "effect"
import { make } from "../export/model.ts"

/** What a device without floating point needs, and what it answers: integers, and what they mean. */
export const example = Effect.gen(function* () {
  const network = yield* IntegerNetwork.of(yield* make, [1, 16])
  const answer = yield* IntegerNetwork.run(
    network,
    Float32Array.from({ length: 16 }, (_, i) => Math.cos(i))
  )
  return {
    steps: network.steps.map(({ operation }) => operation.op),
    accumulators: network.accumulators.map(({ layer, bits }) => `${layer}: ${bits} bits`),
    integers: answer.data,
    values: IntegerNetwork.valuesOf(answer, answer.meaning)
  }
})

export const shows = {
  steps: ["linear", "relu", "rescale", "linear"],
  accumulators: ["fc1: 15 bits", "fc2: 12 bits"],
  integers: [-20, -134, 57, 26],
  values: [-0.0305928, -0.204972, 0.0871895, 0.0397706]
}
