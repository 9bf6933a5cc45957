import { Recipe, Recipes } from "breve"
import { Effect } from "effect"
import { batches, network } from "./model.ts"

const text = `{
  "name": "mine",
  "quantizers": [
    { "match": "*.weightQuant", "quantizer": "Int8WeightPerChannelFloat",
      "options": { "bitWidth": 4, "scalingImplType": "parameterFromStats" } },
    { "match": "fc2.weightQuant", "quantizer": "Int8WeightPerChannelFloat",
      "options": { "bitWidth": 8, "scalingImplType": "parameterFromStats" } }
  ],
  "steps": [{ "step": "equalize" }, { "step": "calibrate" }, { "step": "gptq", "options": { "actOrder": true } }]
}`

export const run = Effect.gen(function* () {
  const model = yield* network
  const recipe = yield* Recipe.decode(text)
  yield* Recipe.run(recipe, batches)(model)
  const ready = yield* Recipes.find("int4-gptq")
  const places = Recipe.diff(ready, recipe).map(({ place }) => place)
  const wrong = yield* Effect.flip(Recipe.decode(text.replace("actOrder", "actorder")))
  return `${places.join("\n")}\n${wrong.message}`
})
