import { Calibrate, Gptq, LowRank, Optimizer, type Ptq, RoundLearning, RoundLearningMath } from "breve"
import { Effect, pipe } from "effect"
import { batches, network } from "./model.ts"
import { errorOf } from "./pipeline.ts"

export const run = Effect.gen(function* () {
  const float = yield* network
  const model = yield* Calibrate.calibrate(batches)(float)
  const losses: Array<number> = []
  const report = (event: Ptq.Event) =>
    Effect.sync(() => void (event._tag === "Iterated" && event.layer === "fc1" && losses.push(event.loss)))
  const learned = yield* RoundLearning.autoRound(batches, { iterations: 100, report })(model)
  const both = yield* RoundLearning.adaRound(batches, {
    iterations: 150,
    optimizer: Optimizer.adam(0.1),
    scales: Optimizer.adam(1e-4),
    // the regulariser in the size of the loss, which is small here
    loss: RoundLearningMath.regularized({ weight: 1e-4 }),
    blocks: [""] // all layers together: the model itself is the block
  })(model)
  const branched = yield* pipe(model, LowRank.correct({ rank: 4 }), Effect.flatMap(Gptq.gptq(batches)))
  return [
    `to nearest ${yield* errorOf(model, float)}`,
    `AutoRound, layer by layer: ${yield* errorOf(learned, float)} (${losses.length} iterations of fc1)`,
    `AdaRound of one block, scales learned: ${yield* errorOf(both, float)}`,
    `branches of rank 4, then GPTQ: ${yield* errorOf(branched, float)}`
  ].join("\n")
})
