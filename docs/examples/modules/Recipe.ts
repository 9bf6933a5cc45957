import { Noise, Recipe } from "breve"
import { Effect } from "effect"
import { batches, network } from "../post-training/model.ts"

/** How a model is quantized, as data that a file can hold. */
const text = `{
  "name": "mine",
  "quantizers": [{ "match": "*.weightQuant", "quantizer": "Int8WeightPerChannelFloat",
                   "options": { "bitWidth": 3, "scalingImplType": "parameterFromStats" } }],
  "steps": [{ "step": "calibrate" }, { "step": "gptq", "options": { "actOrder": true } }]
}`

export const example = Effect.gen(function* () {
  const model = yield* network
  const quantized = yield* Recipe.run(yield* Recipe.decode(text, "mine.json"), batches)(model)
  return Noise.shown(yield* Noise.between(model, quantized, batches))
})

export const shows = "18.0"
