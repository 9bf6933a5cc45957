/**
 * Optimisers that keep their laws, and for each law one that does not.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import type * as Law from "../../laws/Law.ts"
import * as OptimizerLaws from "../../laws/OptimizerLaws.ts"
import * as LearningRate from "../../src/core/LearningRate.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import type { Pack } from "./Pack.ts"

type Optimizing = OptimizerLaws.Optimizing

const decays = "its weights decay"
const good: ReadonlyArray<Optimizing> = [
  { name: "sgd", optimizer: Optimizer.sgd(0.1) },
  { name: "sgd with momentum", optimizer: Optimizer.sgd(0.1, { momentum: 0.9, dampening: 0.5 }) },
  {
    name: "sgd looking ahead",
    optimizer: Optimizer.sgd(
      LearningRate.make((step) => 0.1 / (step + 1)),
      { momentum: 0.9, nesterov: true }
    )
  },
  { name: "sgd with decay", optimizer: Optimizer.sgd(0.1, { weightDecay: 0.1 }), decays },
  { name: "signs", optimizer: Optimizer.signSgd(0.01, { momentum: 0.9 }) },
  { name: "adam", optimizer: Optimizer.adam(0.01) },
  { name: "adamW", optimizer: Optimizer.adamW(0.01), decays }
]

const adam = Optimizer.adam(0.01)
type Update = Optimizer.Optimizer["update"]
const updating = (update: Update): Optimizer.Optimizer => ({ ...adam, update })

const broken: ReadonlyArray<readonly [Law.Law<Optimizing>, string, Optimizer.Optimizer]> = [
  [OptimizerLaws.still, "weights decay", Optimizer.adamW(0.01)],
  [
    OptimizerLaws.untouched,
    "what has no gradient is copied",
    updating((state, parameters, gradients) => {
      const [next, kept] = adam.update(state, parameters, gradients)
      return [Object.fromEntries(Object.entries(next).map(([name, x]) => [name, tf.clone(x)])), kept]
    })
  ],
  [
    OptimizerLaws.resumed,
    "counts the tensors that it knows",
    updating((state, parameters, gradients) => {
      const known = Object.values(parameters).every((x) => seen.has(x))
      const [next, kept] = adam.update(known ? state : { ...state, slots: {} }, parameters, gradients)
      for (const x of Object.values(next)) seen.add(x)
      return [next, kept]
    })
  ],
  [
    OptimizerLaws.apart,
    "gradients by the number of parameters",
    updating((state, parameters, gradients) => {
      const n = Object.keys(parameters).length
      const shared = Object.entries(gradients).map(([name, g]) => [name, g === null ? null : tf.pow(g, n)])
      return adam.update(state, parameters, Object.fromEntries(shared))
    })
  ],
  [
    OptimizerLaws.traceless,
    "keeps what it has made",
    updating((state, parameters, gradients) => {
      const [next, kept] = adam.update(state, parameters, gradients)
      for (const x of Object.values(next)) tf.keep(x)
      return [next, kept]
    })
  ]
]
const seen = new WeakSet<tf.Tensor>()

export const pack: Pack<Optimizing> = {
  name: "OptimizerLaws",
  laws: OptimizerLaws.all,
  good: good.map((one) => [one.name, Effect.succeed(one)] as const),
  broken: broken.map(([law, how, optimizer]) => [law, how, Effect.succeed({ name: how, optimizer })]),
  runs: 60
}
