import { Elementwise, type Layer, Linear, Model } from "breve"
import { Effect } from "effect"

/** A residual block: a model is a function that calls its layers, and itself a layer. */
export const example = Effect.gen(function* () {
  const layers = {
    fc: yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 2, seed: 1 }),
    add: yield* Elementwise.quantEltwiseAdd()
  }
  const block = Model.functional(layers, ({ fc, add }, x: Layer.Value) => add([fc(x), x]))
  const network = Model.sequential({ block, relu: Model.relu })
  return network.cells.map(([name]) => name)
})

export const shows = ["block.fc", "block.fc.weightQuant", "block.add.inputQuant", "block.add.outputQuant"]
