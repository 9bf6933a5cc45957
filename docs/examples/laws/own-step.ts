import { ClipWeights, Linear, Model } from "breve"
import { Law, TransformLaws } from "breve/laws"
import { Effect } from "effect"

/** A step after training, and models to try it on. */
const clipping: TransformLaws.Transform = {
  name: "clipping",
  make: (seed) =>
    Effect.map(Linear.quantLinear({ inFeatures: 4, outFeatures: 3, seed }), (fc) => ({
      model: Model.sequential({ fc }),
      input: [2, 4]
    })),
  // where it tells what it does, the laws let it fail, and interrupt it
  step: ({ model }, moment) => ClipWeights.clip({ threshold: 0.5, report: () => moment })(model)
}

export const tests = Law.cases(TransformLaws.all, clipping, { runs: 40 })
