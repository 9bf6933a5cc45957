/**
 * What a model learns, by name: the parameters of all its cells, each cell once, under its first name.
 *
 * Room: train (level 5). Imports: tfjs types, `core` types, `nn`, `proxy`, `tensor`. Laws: test/train/Train.test.ts.
 */
import type * as tf from "@tensorflow/tfjs-core"
import type { Named } from "../core/Optimizer.ts"
import type * as Layer from "../nn/Layer.ts"
import type * as Cell from "../proxy/Cell.ts"
import * as Tree from "../tensor/Tree.ts"

/** The first name of every cell. */
export type Prefixes = ReadonlyMap<Cell.Cell, string>

export const prefixesOf = (model: Layer.Layer): Prefixes => {
  const prefixes = new Map<Cell.Cell, string>()
  for (const [name, cell] of model.cells) if (!prefixes.has(cell)) prefixes.set(cell, name === "" ? "" : `${name}.`)
  return prefixes
}

/** The learned tensors of these states by their names. */
export const parametersOf = (prefixes: Prefixes, states: Layer.States): Named<tf.Tensor> => {
  const named: Record<string, tf.Tensor> = {}
  for (const [cell, { parameters }] of states)
    for (const [name, tensor] of Tree.leaves(parameters, prefixes.get(cell) ?? "")) named[name] = tensor
  return named
}

/** Whether these states learn the very same tensors. */
export const sameParameters = (states: Layer.States, others: Layer.States): boolean => {
  for (const [cell, { parameters }] of states) if (others.get(cell)?.parameters !== parameters) return false
  return true
}

/** The states with other learned tensors; a state of which none differs stays the same. */
export const withParameters = (prefixes: Prefixes, states: Layer.States, tensors: Named<tf.Tensor>): Layer.States =>
  new Map(
    [...states].map(([cell, state]) => {
      const changed = { any: false }
      const parameters = Tree.map(
        state.parameters,
        (tensor, name) => {
          const next = tensors[name] ?? tensor
          if (next !== tensor) changed.any = true
          return next
        },
        prefixes.get(cell) ?? ""
      )
      return [cell, changed.any ? { ...state, parameters } : state]
    })
  )
