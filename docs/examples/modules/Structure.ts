import { Recipe, State, Structure } from "breve"
import { Effect } from "effect"
import { batches, network } from "../post-training/model.ts"

/** A network whose first layer got a branch beside it; the same made again of another network, which takes the state. */
export const example = Effect.gen(function* () {
  const recipe: Recipe.Recipe = {
    name: "mine",
    quantizers: [],
    steps: [{ step: "lowRank", options: { rank: 2, layers: ["fc1"] } }, { step: "calibrate" }]
  }
  const { model, structure } = yield* Recipe.follow(recipe, batches)(yield* network)
  const again = yield* Structure.rebuilt(yield* Structure.decode(Structure.encode(structure)))(yield* network)
  const { missing, unexpected } = yield* State.load(again, yield* State.extract(model), "strict")
  return [structure, missing, unexpected]
})

export const shows = [
  [
    { change: "branch", at: [["fc1"]] },
    { change: "parameters", shapes: { "fc1.down.weight": [16, 2], "fc1.up.weight": [2, 32] } }
  ],
  [],
  []
]
