import { type Cell, LeasedRef, Linear, Tree } from "breve"
import { Effect } from "effect"

/** The state of a layer lies in cells: one of its own, and one for each quantizer. Training replaces what they hold, step by step. */
export const example = Effect.gen(function* () {
  const layer = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1, seed: 1 })
  return layer.cells.map(([name, cell]) => {
    const { slot, parameters }: Cell.Living = LeasedRef.current(cell)
    return { name, slot: slot ?? "none", parameters: Tree.leaves(parameters).map(([path]) => path) }
  })
})

export const shows = [
  { name: "", slot: "none", parameters: ["weight", "bias"] },
  { name: "weightQuant", slot: "weight", parameters: [] }
]
