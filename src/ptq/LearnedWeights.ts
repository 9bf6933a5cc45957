/**
 * What was learned about rounding as numbers, and the model that has them as its weights.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `nn`, `proxy` types, `tensor`, `./LearnedQuantizers.ts`, `./Ptq.ts`. Laws:
 * test/ptq/RoundLearning.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Effect, Scope } from "effect"
import * as Fork from "../nn/Fork.ts"
import * as Layer from "../nn/Layer.ts"
import type * as Cell from "../proxy/Cell.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Tree from "../tensor/Tree.ts"
import * as LearnedQuantizers from "./LearnedQuantizers.ts"
import * as Ptq from "./Ptq.ts"

/** The numbers that quantizers and weights of the model are to have. */
export interface Found {
  readonly weights: Ptq.Overlay
  /** parameters of scales, by the names of quantizers in the model and of parameters in their cells */
  readonly scales: ReadonlyMap<string, ReadonlyMap<string, Ptq.Host>>
}

/** What was learned, as numbers. */
export const found = (
  learning: LearnedQuantizers.Learning<Ptq.Model>,
  targets: ReadonlyArray<LearnedQuantizers.Target>,
  model: Ptq.Model
): Found => {
  const own = new Map(Ptq.weighted(model).map(({ name, layer }) => [name, layer.own]))
  const weights = new Map<Cell.Cell, Readonly<Record<string, Ptq.Host>>>()
  tf.tidy(() => {
    const states = Layer.prepare(Layer.read(learning.model), Layer.evaluation)
    const rounded = LearnedQuantizers.withQuantized(states, targets, false)
    for (const { name, layer } of targets) {
      const host = Ptq.hostOf(Layer.stateOf(rounded, layer.own).parameters, "weight")
      const cell = own.get(name)
      if (host !== undefined && cell !== undefined) weights.set(cell, { weight: host })
    }
  })
  const scales = targets.map(({ name, proxy, scales }) => {
    const { parameters } = LeasedRef.current(proxy.cell)
    const hosts = scales.flatMap((scale) => {
      const host = Ptq.hostOf(parameters, scale)
      return host === undefined ? [] : [[scale, host] as const]
    })
    return [name === "" ? "weightQuant" : `${name}.weightQuant`, new Map(hosts)] as const
  })
  return { weights, scales: new Map(scales) }
}

/** The model with float weights whose quantization is what was learned, and the scales that were learned. */
export const folded = <M extends Ptq.Model>(
  model: M,
  { weights, scales }: Found
): Effect.Effect<M, never, Scope.Scope> => {
  const byCell = new Map(model.proxies.map(([name, { cell }]) => [cell, scales.get(name)]))
  const begun = Ptq.beginning(model, (cell, { parameters, memory }) => {
    const tensor = ({ data, shape }: Ptq.Host): tf.Tensor => tf.tensor(data, [...shape])
    const weight = weights.get(cell)?.weight
    if (weight !== undefined) return { memory, parameters: { ...parameters, weight: tensor(weight) } }
    const values = byCell.get(cell)
    if (values === undefined || values.size === 0) return undefined
    const other = (leaf: tf.Tensor, name: string): tf.Tensor => {
      const host = values.get(name)
      return host === undefined ? leaf : tensor(host)
    }
    return { memory, parameters: Tree.map(parameters, other) }
  })
  return Fork.make(model, begun)
}
