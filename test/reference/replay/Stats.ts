/**
 * Replays `core/stats`: statistics, views and running statistics; the statistics that search are replayed beside it.
 */
import * as tf from "@tensorflow/tfjs-core"
import type * as Brick from "../../../src/core/Brick.ts"
import * as RunningStatistic from "../../../src/core/RunningStatistic.ts"
import * as Statistic from "../../../src/core/Statistic.ts"
import * as Shrink from "../../../src/op/Shrink.ts"
import * as ViewOp from "../../../src/op/View.ts"
import * as Tree from "../../../src/tensor/Tree.ts"
import { type Case, type Replay, unsupported } from "../Case.ts"
import { replaySearch } from "./build/Search.ts"
import { isStatistic, isView, statisticOf, viewOf } from "./build/Statistic.ts"
import { type Comparison, compared, type Evaluated, gradients, on, type Tensors, tensorsOf } from "./Core.ts"

/** A formula of some inputs, with the gradients that the case lists. */
const differentiated = (testCase: Case, inputs: Tensors, f: (inputs: Tensors) => tf.Tensor): Evaluated => {
  const names = Object.keys(testCase.grads ?? {})
  return {
    outputs: { value: f(inputs) },
    grads: names.length === 0 ? {} : gradients(f, inputs, names, inputs.cotangent as tf.Tensor)
  }
}

const stateOf = (brick: Brick.Brick, inputs: Tensors): Brick.State => ({
  parameters: Tree.map(brick.parameters, (own, name) => inputs[name] ?? own),
  memory: brick.memory,
  training: true
})

const statistic = (testCase: Case, inputs: Tensors): Evaluated => {
  const brick = statisticOf(testCase.config)
  return differentiated(testCase, inputs, (given) => brick.apply(stateOf(brick, given), given.x as tf.Tensor)[0])
}

const view = (testCase: Case, inputs: Tensors): Evaluated => {
  const { config } = testCase
  const brick = viewOf({ ...config, view: config.op })
  return differentiated(testCase, inputs, ({ x }) => brick.apply(x as tf.Tensor))
}

const tracked = (testCase: Case, inputs: Tensors): Evaluated => {
  const { config } = testCase
  const names = Object.keys(inputs)
    .filter((name) => /^param_\d+$/.test(name))
    .sort((a, b) => Number(a.slice(6)) - Number(b.slice(6)))
  const brick = Statistic.ofParameters({
    statsImpl: statisticOf(config),
    view: viewOf(config),
    concatDim: config.concat_dim,
    shape: config.output_shape,
    role: "scale",
    trackedCount: names.length
  })
  return differentiated(testCase, inputs, (given) => {
    const parameters = names.map((name) => given[name] as tf.Tensor)
    return brick.apply({ ...stateOf(brick, given), tracked: parameters }, parameters[0] as tf.Tensor)[0]
  })
}

const running = (testCase: Case, inputs: Tensors): Evaluated => {
  const { config } = testCase
  const brick = RunningStatistic.make({
    statsImpl: statisticOf(config),
    view: viewOf(config),
    shape: config.output_shape,
    momentum: config.momentum ?? undefined
  })
  const outputs: Record<string, tf.Tensor> = {}
  const grads: Record<string, tf.Tensor | null> = {}
  let memory: Tree.Memory = {
    ...brick.memory,
    runningStats: tf.fill([...config.output_shape], config.initial_running_stats)
  }
  config.steps.forEach((mode: string, k: number) => {
    const state = { parameters: brick.parameters, memory, training: mode === "train" }
    const name = `x@${k}`
    const apply = (given: Tensors): Brick.Answer<tf.Tensor> => brick.apply(state, given[name] as tf.Tensor)
    const cotangent = inputs[`cotangent@${k}`]
    if (cotangent !== undefined)
      Object.assign(
        grads,
        gradients((given) => apply(given)[0], inputs, [name], cotangent)
      )
    const [value, after] = apply(inputs)
    memory = after
    outputs[`value@${k}`] = value
    outputs[`running_stats@${k}`] = memory.runningStats as tf.Tensor
  })
  return { outputs, grads }
}

const others: Readonly<Record<string, (testCase: Case, inputs: Tensors) => Evaluated>> = {
  tracked_parameters_stats: tracked,
  running_stats: running,
  padding_to_multiple: (testCase, inputs) =>
    differentiated(testCase, inputs, ({ x }) =>
      ViewOp.padToMultiple(x as tf.Tensor, testCase.config.dim_to_expand, testCase.config.dim_multiple)
    ),
  shrink_lp: (testCase, inputs) =>
    differentiated(testCase, inputs, ({ x }) =>
      Shrink.shrink(x as tf.Tensor, testCase.config.beta, testCase.config.lp_norm)
    ),
  masked_median: (testCase, inputs) =>
    differentiated(testCase, inputs, ({ x, mask }) =>
      Shrink.maskedMedian(x as tf.Tensor, mask as tf.Tensor, {
        axis: testCase.config.stats_reduce_dim ?? undefined,
        keepDims: testCase.config.keepdim
      })
    )
}

const searching = new Set(["MSE", "HalfQuadraticOptimizerScale", "HalfQuadraticOptimizerZeroPoint"])
/** Views, and what selects an element, move numbers and do not compute any. */
const exact: Comparison = { exact: true }

export const replay: Replay = async (testCase, backend) => {
  const { op } = testCase.config
  if (searching.has(op)) return replaySearch(testCase, backend)
  const evaluate = isView(op) ? view : isStatistic(op) ? statistic : Object.hasOwn(others, op) ? others[op] : undefined
  if (evaluate === undefined) return unsupported(`nothing replays "${op}"`)
  const how = isView(op) || op === "padding_to_multiple" ? exact : {}
  return on(backend, () => compared(testCase, evaluate(testCase, tensorsOf(testCase.inputs)), how))
}
