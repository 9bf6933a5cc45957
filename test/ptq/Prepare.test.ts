import { Effect, Stream } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as ActivationEqualize from "../../src/ptq/ActivationEqualize.ts"
import * as ClipWeights from "../../src/ptq/ClipWeights.ts"
import * as Equalize from "../../src/ptq/Equalize.ts"
import * as MergeBatchNorm from "../../src/ptq/MergeBatchNorm.ts"
import * as MergeLayerNorm from "../../src/ptq/MergeLayerNorm.ts"
import type * as Ptq from "../../src/ptq/Ptq.ts"
import * as Rotate from "../../src/ptq/Rotate.ts"
import * as SplitChannels from "../../src/ptq/SplitChannels.ts"
import * as Nets from "./Nets.ts"

type AnyStep = (input: ReadonlyArray<number>) => Ptq.Step<unknown>

const batches = (input: ReadonlyArray<number>): Ptq.Batches =>
  Stream.make(
    () => Nets.batch(input, 5),
    () => Nets.batch(input, 6)
  )

const steps: ReadonlyArray<readonly [string, AnyStep]> = [
  ["Equalize", (input) => Equalize.equalize({ input })],
  ["Equalize by range, without biases", (input) => Equalize.equalize({ input, measure: "range", mergeBias: false })],
  ["Equalize by norms", (input) => Equalize.equalize({ input, measure: "l2", biasShrinkage: 3 })],
  ["ActivationEqualize", (input) => ActivationEqualize.equalize(batches(input), { input })],
  [
    "ActivationEqualize, inserted and co-optimized",
    (input) => ActivationEqualize.equalize(batches(input), { input, insert: true, coOptimize: true, alpha: 0.7 })
  ],
  ["ActivationEqualize layer by layer", (input) => ActivationEqualize.layerwise(batches(input))],
  ["SplitChannels", (input) => SplitChannels.splitChannels({ input, ratio: 0.3 })],
  ["SplitChannels by outputs", (input) => SplitChannels.splitChannels({ input, ratio: 0.5, inputs: false })],
  ["Rotate", (input) => Rotate.rotate({ input, kind: "orthogonal" })],
  [
    "MergeLayerNorm and Rotate",
    (input) => (model) =>
      Effect.flatMap(MergeLayerNorm.merge({ input })(model), Rotate.rotate({ input, kind: "orthogonal", seed: 4 }))
  ],
  ["MergeBatchNorm", (input) => MergeBatchNorm.merge({ input })],
  ["MergeLayerNorm", (input) => MergeLayerNorm.merge({ input })],
  ["ClipWeights, beyond all weights", () => ClipWeights.clip({ threshold: 1e6 })]
]

describe.each(steps)("%s", (_, step) => {
  it("leaves what the float network computes, and the model that it was given", { timeout: 60_000 }, () =>
    fc.assert(
      fc.asyncProperty(Nets.net(), (net) =>
        Nets.run(
          Effect.gen(function* () {
            const { model, input } = yield* Nets.make(net)
            const [before, wanted] = [yield* Nets.stateOf(model), yield* Nets.floatOf(model, input)]
            const next = yield* step(input)(model)
            expect(Nets.distance(wanted, yield* Nets.floatOf(next, input))).toBeLessThan(2e-5)
            expect(yield* Nets.stateOf(model)).toBe(before)
          })
        )
      ),
      { numRuns: 25, seed: 1 }
    )
  )
})
