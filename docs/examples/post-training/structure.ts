import * as tf from "@tensorflow/tfjs-core"
import { Layer, Recipe, State, Structure } from "breve"
import { Effect } from "effect"
import { batches, inputs, network } from "./model.ts"

const text = `{
  "name": "branches",
  "quantizers": [],
  "steps": [{ "step": "lowRank", "options": { "rank": 2, "layers": ["fc1"] } }, { "step": "calibrate" }]
}`

export const run = Effect.gen(function* () {
  const recipe = yield* Recipe.decode(text)
  const { model, structure } = yield* Recipe.follow(recipe, batches)(yield* network)
  const saved = { structure: Structure.encode(structure), state: yield* State.extract(model) }
  // elsewhere: the network as it began, changed as the text says, takes the state
  const again = yield* Structure.rebuilt(yield* Structure.decode(saved.structure))(yield* network)
  yield* State.load(again, saved.state, "strict")
  const x = inputs(9)
  const [before, after] = [yield* Layer.forward(model, x), yield* Layer.forward(again, x)]
  const [a, b] = [before, after].map((y) => `${Layer.tensorsIn(y).map((one) => one.dataSync())}`)
  tf.dispose([x, ...Layer.tensorsIn(before), ...Layer.tensorsIn(after)])
  return `${saved.structure}\n${a === b ? "the same answers" : "other answers"}`
})
