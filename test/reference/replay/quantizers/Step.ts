/**
 * One call of a quantizer: prepared, run, differentiated; and all of it compared with a step of the vectors.
 */
import * as tf from "@tensorflow/tfjs-core"
import type * as Brick from "../../../../src/core/Brick.ts"
import type { External, Quantized, TensorQuantizer } from "../../../../src/core/TensorQuantizer.ts"
import * as Gradient from "../../../../src/tensor/Gradient.ts"
import * as Tree from "../../../../src/tensor/Tree.ts"
import type { Case } from "../../Case.ts"
import type { Tensors } from "../Core.ts"
import { answerOf } from "./Answer.ts"
import { type Difference, differences, gradientDifferences, ofLogarithms } from "./Compared.ts"
import { snakeOf } from "./Names.ts"

/** What a quantizer keeps from call to call. */
export type Kept = Pick<Brick.State, "parameters" | "memory">

/** What a call is given, made of the tensors that it is differentiated by. */
export interface Input {
  readonly x: tf.Tensor
  readonly external?: External | undefined
  readonly tracked?: ReadonlyArray<tf.Tensor>
}

interface Call {
  readonly quantizer: TensorQuantizer
  readonly kept: Kept
  readonly training: boolean
  readonly inputs: Tensors
  readonly input: (inputs: Tensors) => Input
}

/** The state that a call starts from: from here on only its formula differentiates. */
export const prepared = ({ quantizer, kept, training, inputs, input }: Call): Brick.State => {
  const rest = { training, tracked: input(inputs).tracked }
  const { parameters, memory } = quantizer.prepare({ ...rest, ...kept })
  return { ...rest, parameters, memory }
}

/** Runs a call. */
export const called = (call: Call): { readonly quantized: Quantized; readonly kept: Kept } => {
  const state = prepared(call)
  const { x, external } = call.input(call.inputs)
  const [quantized, memory] = call.quantizer.apply(state, x, external)
  return { quantized, kept: { parameters: state.parameters, memory } }
}

// ---- gradients ----------------------------------------------------------------------------------------------

/** `sum(value * upstream)`. */
export const against = (value: tf.Tensor, upstream: tf.Tensor): tf.Tensor => tf.sum(tf.mul(value, upstream))

const named = (parameters: Tree.Parameters, prefix: string): Tensors =>
  Object.fromEntries(Tree.leaves(parameters).map(([name, leaf]) => [prefix + snakeOf(name), leaf]))

/** Gradients of `loss` by name: of the inputs under theirs, of the parameters under their path in the reference. */
export const gradientsOf = (
  loss: (parameters: Tree.Parameters, inputs: Tensors) => tf.Tensor,
  parameters: Tree.Parameters,
  inputs: Tensors,
  prefix: string
): Readonly<Record<string, tf.Tensor | null>> => {
  const variables = Object.entries({ ...named(parameters, prefix), ...inputs })
  const f = (given: ReadonlyArray<tf.Tensor>): tf.Tensor => {
    const now: Tensors = Object.fromEntries(variables.map(([name], i) => [name, given[i] as tf.Tensor]))
    const own = Tree.map(parameters, (_, name) => now[prefix + snakeOf(name)] as tf.Tensor)
    return loss(own, Object.fromEntries(Object.keys(inputs).map((name) => [name, now[name] as tf.Tensor])))
  }
  // Two variables may begin as one tensor; on the tape they are two.
  const at = variables.map(([, x]) => tf.clone(x))
  const { gradients } = Gradient.valueAndGradients(f, at)
  return Object.fromEntries(variables.map(([name], i) => [name, gradients[i] as tf.Tensor | null]))
}

const restrictsToFloats = ({ resolved }: Case["config"]): boolean =>
  resolved.restrict_scaling_type === "fp" || resolved.implementations?.restrict_scaling_impl === "FloatRestrictValue"

/**
 * The size of the terms that the gradient of a variable sums: `sum |value * upstream|`, over the variable where the value is
 * proportional to it.
 */
export const termsOf = (testCase: Case, parts: ReadonlyArray<readonly [tf.Tensor, tf.Tensor]>, at: Tensors) => {
  const sizesOf = ([value, up]: readonly [tf.Tensor, tf.Tensor]) => tf.abs(tf.mul(value, up)).dataSync()
  const sum = parts.flatMap((part) => Array.from(sizesOf(part))).reduce((a, x) => (Number.isFinite(x) ? a + x : a), 0)
  return (name: string): number => {
    const proportional =
      /scale$/.test(name) || (/scaling_impl\.value$/.test(name) && restrictsToFloats(testCase.config))
    const sizes = proportional ? Array.from(at[name]?.dataSync() ?? [], Math.abs).filter((x) => x > 0) : []
    return sizes.length === 0 ? sum : sum / Math.min(...sizes)
  }
}

export const variablesOf = (parameters: Tree.Parameters, inputs: Tensors, prefix: string): Tensors => ({
  ...named(parameters, prefix),
  ...inputs
})

// ---- state --------------------------------------------------------------------------------------------------

const remembered: ReadonlySet<string> = new Set(["buffer", "counter", "initDone", "runningStats"])
const lastOf = (path: string): string => path.slice(path.lastIndexOf(".") + 1)

/** Parameters and what the reference lists of the memory, under the names of the reference. */
const stateOf = (kept: Kept, prefix: string): Readonly<Record<string, tf.Tensor | number | boolean>> => ({
  ...named(kept.parameters, prefix),
  ...Object.fromEntries(
    Tree.leaves(kept.memory)
      .filter(([path]) => remembered.has(lastOf(path)))
      .map(([path, leaf]) => [prefix + snakeOf(path), lastOf(path) === "initDone" ? leaf === 1 : leaf] as const)
  )
})

/** The same names on both sides: nothing is learned or remembered that the reference does not have, except constants. */
const stateDifferences = (
  expected: object,
  actual: Readonly<Record<string, unknown>>,
  path: string,
  constant: (name: string) => boolean,
  restricted: boolean
): ReadonlyArray<Difference> => {
  const extra = Object.keys(actual).filter((name) => !Object.hasOwn(expected, name) && !constant(name))
  return [
    ...differences(expected, actual, path, restricted ? ofLogarithms : undefined),
    ...extra.map((name) => ({ path: `${path}.${name}`, text: `${path}.${name}: not expected` }))
  ]
}

// ---- steps --------------------------------------------------------------------------------------------------

/** A step as the vectors have it. */
interface Expected {
  readonly answer: unknown
  readonly state: object
  readonly grads: any
  readonly upstream: tf.Tensor
}

interface About {
  readonly testCase: Case
  readonly path: string
  /** of the names of parameters */
  readonly prefix: string
  readonly signed: boolean
}

/** Runs a step; what differs, and what the next one starts from. */
export const step = (
  call: Call,
  expected: Expected,
  { testCase, path, prefix, signed }: About
): { readonly found: ReadonlyArray<Difference>; readonly quantized: Quantized; readonly kept: Kept } => {
  const { quantizer, training, inputs, input } = call
  const { upstream } = expected
  const state = prepared(call)
  const { quantized, kept } = called(call)
  const loss = (parameters: Tree.Parameters, given: Tensors): tf.Tensor => {
    const { x, external, tracked } = input(given)
    return against(quantizer.apply({ ...state, parameters, tracked }, x, external)[0].value, upstream)
  }
  const gradients = gradientsOf(loss, state.parameters, inputs, prefix)
  const variables = variablesOf(state.parameters, inputs, prefix)
  const terms = termsOf(testCase, [[quantized.value, upstream]], variables)
  const found = [
    ...differences(expected.answer, answerOf(quantizer, quantized, { signed, training }), path),
    ...stateDifferences(
      expected.state,
      stateOf(kept, prefix),
      `${path}.state`,
      (name) => gradients[name] === null,
      !restrictsToFloats(testCase.config)
    ),
    ...gradientDifferences(expected.grads, gradients, `${path}.grads`, terms)
  ]
  return { found, quantized, kept }
}
