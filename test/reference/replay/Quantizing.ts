/**
 * What the replays of whole quantizers share: learned tensors put where they belong, one call, and traces of several.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { State } from "../../../src/core/Brick.ts"
import type { External, Quantized, TensorQuantizer } from "../../../src/core/TensorQuantizer.ts"
import * as Tree from "../../../src/tensor/Tree.ts"
import type { Case, Outcome } from "../Case.ts"
import { compared, gradients, type Tensors } from "./Core.ts"

// ---- learned tensors ----------------------------------------------------------------------------------------

/** Where a learned tensor of the vectors stands among the parameters of a quantizer. */
const places: Readonly<Record<string, string>> = {
  scale_param: "scalingImpl.value",
  zero_point_param: "zeroPointImpl.value",
  bit_width_offset: "msbClampBitWidthImpl.bitWidthOffset",
  norm_param: "preScalingImpl.value",
  pre_scale_param: "preScalingImpl.scalingImpl.value"
}
/** The gradients of these sum terms that may nearly cancel. */
export const throughScale = [
  "scale",
  "pre_scale",
  "scale_param",
  "pre_scale_param",
  "norm_param",
  "input_bit_width"
] as const

const named = (inputs: Tensors): Readonly<Record<string, tf.Tensor>> =>
  Object.fromEntries(
    Object.entries(places).flatMap(([name, path]) => (inputs[name] === undefined ? [] : [[path, inputs[name]]]))
  )

/** The parameters with those that a case gives; one without a place is an error. */
export const withLearned = (parameters: Tree.Parameters, inputs: Tensors): Tree.Parameters => {
  const given = named(inputs)
  const paths = new Set(Tree.leaves(parameters).map(([path]) => path))
  const lost = Object.keys(given).find((path) => !paths.has(path))
  if (lost !== undefined) throw new Error(`the quantizer has no parameter "${lost}"; it has ${[...paths].join(", ")}`)
  return Tree.map(parameters, (own, path) => given[path] ?? own)
}

/** The memory in which the parameters that a case gives need no statistics any more. */
const initialised = (memory: Tree.Memory, inputs: Tensors): Tree.Memory => {
  const done = Object.keys(named(inputs)).map((path) => path.replace(/value$/, "initDone"))
  return Tree.map(memory, (own, path) => (done.includes(path) ? 1 : own))
}

/** The parameters under the names of the vectors. */
export const learnedOf = (parameters: Tree.Parameters): Readonly<Record<string, tf.Tensor>> => {
  const all = new Map(Tree.leaves(parameters))
  return Object.fromEntries(
    Object.entries(places).flatMap(([name, path]) => (all.has(path) ? [[name, all.get(path) as tf.Tensor]] : []))
  )
}

// ---- calls --------------------------------------------------------------------------------------------------

/** What comes from outside, as far as the case gives it. */
export const externalOf = (config: any, inputs: Tensors): External => {
  const width = config.input_bit_width
  const bitWidth = inputs.input_bit_width ?? (width === undefined ? undefined : tf.scalar(width))
  const signed = config.input_is_signed ?? config.signed
  return {
    ...(inputs.scale !== undefined && { scale: inputs.scale }),
    ...(inputs.zero_point !== undefined && { zeroPoint: inputs.zero_point }),
    ...(bitWidth !== undefined && { bitWidth }),
    ...(signed !== undefined && { signed })
  }
}

/** One call with the learned tensors and the external format that the inputs have. */
export const called = (self: TensorQuantizer, config: any, inputs: Tensors): Quantized => {
  const x = inputs.x as tf.Tensor
  const state: State = {
    parameters: withLearned(self.parameters, inputs),
    memory: initialised(self.memory, inputs),
    training: true,
    tracked: [x],
    observing: config.observer_only === true
  }
  const { parameters, memory } = self.prepare(state)
  return self.apply({ ...state, parameters, memory }, x, externalOf(config, inputs))[0]
}

/** The integers behind a value; NaN stays. */
export const integers = ({ value, scale, zeroPoint }: Pick<Quantized, "value" | "scale" | "zeroPoint">): tf.Tensor =>
  tf.round(tf.add(tf.div(value, scale), zeroPoint))

/** What a call answers, under the names of the vectors. */
export const outputsOf = (quantized: Quantized, x: tf.Tensor): Readonly<Record<string, tf.Tensor | undefined>> => {
  const { value, scale, zeroPoint, bitWidth, preScale, preZeroPoint, grouped, input } = quantized
  return {
    value,
    scale,
    zero_point: zeroPoint,
    bit_width: bitWidth,
    pre_scale: preScale,
    pre_zero_point: preZeroPoint,
    int: integers(quantized),
    x_after: input ?? x,
    value_grouped: grouped?.value,
    scale_grouped: grouped?.scale,
    zero_point_grouped: grouped?.zeroPoint,
    int_grouped: grouped && integers(grouped)
  }
}

// ---- traces -------------------------------------------------------------------------------------------------

const at = (written: any, k: number): any =>
  Object.fromEntries(
    Object.entries(written ?? {}).flatMap(([name, one]) => {
      const [base, step] = name.split("@")
      return step === undefined || Number(step) === k ? [[base as string, one]] : []
    })
  )

/** The case of one step of a trace, without the suffixes. */
const stepOf = (testCase: Case, k: number): Case => ({
  ...testCase,
  inputs: at(testCase.inputs, k),
  outputs: at(testCase.outputs, k),
  grads: at(testCase.grads, k)
})

const stepped = (parameters: Tree.Parameters, grads: Readonly<Record<string, tf.Tensor | null>>, lr: number) =>
  Tree.map(parameters, (own, path) => {
    const grad = grads[path]
    return grad === null || grad === undefined ? own : tf.sub(own, tf.mul(grad, lr))
  })

/** Calls a quantizer step by step, with gradient steps in between where the case has them: the first step that differs fails. */
export const traced = (
  testCase: Case,
  self: TensorQuantizer,
  inputs: Tensors,
  externalAt: (inputs: Tensors) => External
): Outcome => {
  const { config } = testCase
  const modes: ReadonlyArray<string> = config.steps ?? Array.from({ length: config.num_steps }, () => "train")
  const start = { parameters: withLearned(self.parameters, inputs), memory: initialised(self.memory, inputs) }
  const walk = (k: number, state: Pick<State, "parameters" | "memory">): Outcome => {
    const training = modes[k] === "train"
    const mine: Tensors = at(inputs, k)
    const prepared = self.prepare({ ...state, training })
    const [quantized, memory] = self.apply({ ...prepared, training }, mine.x as tf.Tensor, externalAt(mine))
    const paths = Tree.leaves(prepared.parameters).map(([path]) => path)
    const leaves = Object.fromEntries(Tree.leaves(prepared.parameters))
    const grads =
      mine.cotangent === undefined
        ? {}
        : gradients(
            (given) => {
              const parameters = Tree.map(prepared.parameters, (own, path) => given[path] ?? own)
              const state = { parameters, memory: prepared.memory, training }
              return self.apply(state, given.x as tf.Tensor, externalAt(mine))[0].value
            },
            { ...mine, ...leaves },
            ["x", ...paths],
            mine.cotangent
          )
    const underNames = Object.fromEntries(
      Object.entries(places).flatMap(([name, path]) => (path in grads ? [[name, grads[path] ?? null]] : []))
    )
    const outputs = { ...outputsOf(quantized, mine.x as tf.Tensor), ...learnedOf(prepared.parameters) }
    const outcome = compared(
      stepOf(testCase, k),
      { outputs, grads: { x: grads.x ?? null, ...underNames } },
      { throughScale }
    )
    if (outcome.kind === "failed") return { kind: "failed", reason: `step ${k}: ${outcome.reason}` }
    if (k + 1 === modes.length) return outcome
    const lr = config.sgd_lr ?? undefined
    const parameters = lr === undefined ? prepared.parameters : stepped(prepared.parameters, grads, lr)
    return walk(k + 1, { parameters, memory })
  }
  return walk(0, start)
}
