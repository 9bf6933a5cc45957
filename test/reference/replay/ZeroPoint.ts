/**
 * Replays the vectors of zero-points and bit-widths.
 */
import * as tf from "@tensorflow/tfjs-core"
import type * as Brick from "../../../src/core/Brick.ts"
import * as ScaleShift from "../../../src/core/ScaleShift.ts"
import type { ZeroPoint } from "../../../src/core/ZeroPoint.ts"
import * as Tree from "../../../src/tensor/Tree.ts"
import { type Case, type Outcome, type Replay, unsupported } from "../Case.ts"
import { quantizerOf } from "./build/Quantizer.ts"
import { bitWidthOf, hostRangeOf, zeroPointOf } from "./build/ZeroPoint.ts"
import { compared, type Evaluated, gradients, on, type Tensors, tensorsOf } from "./Core.ts"

/** The tree with given leaves in place of its own, by their dotted names. */
export const over = (
  tree: Tree.Parameters,
  given: Readonly<Record<string, tf.Tensor | undefined>>
): Tree.Parameters => {
  const known = Tree.leaves(tree).map(([path]) => path)
  const strange = Object.keys(given).find((path) => given[path] !== undefined && !known.includes(path))
  if (strange !== undefined) throw new Error(`the brick has no parameter "${strange}", only ${known.join(", ")}`)
  return Tree.map(tree, (leaf: tf.Tensor, path) => given[path] ?? leaf)
}

/** Values and gradients of a function of the inputs. */
export const evaluated = (testCase: Case, inputs: Tensors, f: (given: Tensors) => tf.Tensor): Evaluated => ({
  outputs: { value: f(inputs) },
  grads: inputs.cotangent === undefined ? {} : gradients(f, inputs, Object.keys(testCase.grads ?? {}), inputs.cotangent)
})

// ---- zero-points --------------------------------------------------------------------------------------------

/** The learned values of a zero-point under the names of the vectors. */
const learned = (given: Tensors) => ({
  value: given.param_value,
  "affineRescaling.affineWeight": given.affine_weight,
  "affineRescaling.affineBias.value": given.affine_bias
})

const anyRange = { signed: false, narrow_range: false, float_to_int: "round", clamp: "tensor_clamp" }
const built = ({ config }: Case, inputs: Tensors): ZeroPoint =>
  zeroPointOf(
    { affine_shifting: inputs.affine_bias !== undefined, ...config },
    hostRangeOf(config.int_quant ?? anyRange),
    inputs
  )

const called = (brick: ZeroPoint, state: Brick.State, given: Tensors): Brick.Answer<tf.Tensor> =>
  brick.apply(state, given.x ?? tf.scalar(0), given.scale as tf.Tensor, given.bit_width ?? tf.scalar(8))

const zeroPoint = (testCase: Case): Evaluated => {
  const inputs = tensorsOf(testCase.inputs)
  const brick = built(testCase, inputs)
  return evaluated(testCase, inputs, (given) => {
    const parameters = over(brick.parameters, learned(given))
    const state = { parameters, memory: brick.memory, training: true, ...(given.x && { tracked: [given.x] }) }
    return called(brick, state, given)[0]
  })
}

/** The input of a step: its own, or the one that all share. */
const stepped = (inputs: Tensors, name: string, step: number): tf.Tensor =>
  (inputs[`${name}@${step}`] ?? inputs[name]) as tf.Tensor

const asTensor = (leaf: unknown): tf.Tensor | undefined =>
  leaf instanceof tf.Tensor ? leaf : typeof leaf === "number" ? tf.scalar(leaf) : undefined

/** One zero-point evaluated step by step: its statistic becomes a parameter, which plain gradient descent may change. */
const traced = (testCase: Case): Evaluated => {
  const { config } = testCase
  const inputs = tensorsOf(testCase.inputs)
  const brick = built(testCase, inputs)
  const steps: ReadonlyArray<string> = config.steps ?? Array.from({ length: config.num_steps }, () => "train")
  const outputs: Record<string, tf.Tensor | undefined> = {}
  const grads: Record<string, tf.Tensor | null | undefined> = {}
  let state: Brick.State = { parameters: brick.parameters, memory: brick.memory, training: true }
  steps.forEach((mode, k) => {
    const x = stepped(inputs, "x", k)
    const before = { ...state, training: mode === "train", tracked: [x] }
    const ready = { ...before, ...brick.prepare(before) }
    const given: Tensors = {
      x,
      scale: stepped(inputs, "scale", k),
      bit_width: stepped(inputs, "bit_width", k),
      param_value: ready.parameters.value as tf.Tensor
    }
    const answer = (now: Tensors): Brick.Answer<tf.Tensor> =>
      called(brick, { ...ready, parameters: over(ready.parameters, learned(now)) }, now)
    const [value, memory] = answer(given)
    const found = gradients((now) => answer(now)[0], given, Object.keys(given), stepped(inputs, "cotangent", k))
    outputs[`value@${k}`] = value
    outputs[`param_value@${k}`] = given.param_value
    outputs[`buffer@${k}`] = asTensor(memory.buffer)
    outputs[`counter@${k}`] = asTensor(memory.counter)
    for (const [name, gradient] of Object.entries(found)) grads[`${name}@${k}`] = gradient
    const moved = found.param_value
    state = {
      ...ready,
      memory,
      parameters:
        typeof config.sgd_lr !== "number" || !moved
          ? ready.parameters
          : over(ready.parameters, {
              value: tf.sub(given.param_value as tf.Tensor, tf.mul(moved, config.sgd_lr))
            })
    }
  })
  return { outputs, grads }
}

const shifted = (testCase: Case): Evaluated => {
  const { config } = testCase
  const inputs = tensorsOf(testCase.inputs)
  const host = hostRangeOf(config.int_quant)
  const brick =
    config.op === "scale_shift_quant_zero_point"
      ? ScaleShift.ScaleShiftQuantZeroPoint({
          zpIntQuant: quantizerOf(
            { ...config.inner, int_quant: { input_view: { view: "Identity" }, ...config.inner } },
            inputs
          ),
          ...host
        })
      : ScaleShift.make({ ...host, quantizeZeroPoint: config.quantize_zero_point })
  return evaluated(testCase, inputs, (given) => {
    const { zero_point: v, scale, bit_width: bits } = given as Record<string, tf.Tensor>
    const state = { parameters: brick.parameters, memory: brick.memory, training: true }
    return brick.apply(state, v as tf.Tensor, scale as tf.Tensor, bits as tf.Tensor)[0]
  })
}

// ---- bit-widths ---------------------------------------------------------------------------------------------

const paths: Readonly<Record<string, string>> = {
  BitWidthParameter: "bitWidthOffset",
  RemoveBitwidthParameter: "bitWidthCoeff",
  MsbClampBitWidth: "bitWidthToRemoveImpl.bitWidthCoeff"
}

const bitWidth = (testCase: Case): Evaluated => {
  const inputs = tensorsOf(testCase.inputs)
  const { op } = testCase.config
  const brick = bitWidthOf(testCase.config, inputs)
  return evaluated(testCase, inputs, (given) => {
    const path = paths[op]
    const learnedValue = given.bit_width_offset ?? given.bit_width_coeff
    const parameters = path === undefined ? brick.parameters : over(brick.parameters, { [path]: learnedValue })
    return brick.apply({ parameters, memory: brick.memory, training: true }, given.input_bit_width)[0]
  })
}

const initialBitWidth = (testCase: Case): Evaluated => {
  const brick = bitWidthOf({ ...testCase.config, op: testCase.config.op.replace(/_init$/, "") }, {})
  const { parameters, memory } = brick
  return {
    outputs: {
      value: brick.apply({ parameters, memory, training: true })[0],
      bit_width_offset: parameters.bitWidthOffset as tf.Tensor,
      bit_width_coeff: parameters.bitWidthCoeff as tf.Tensor,
      // the only constant of a learned bit-width
      bit_width_base: brick.own.at(-1)
    }
  }
}

const evaluateOf = (testCase: Case): ((testCase: Case) => Evaluated) | undefined => {
  const { op, kind }: { readonly op: string; readonly kind?: string } = testCase.config
  if (op.endsWith("_init")) return initialBitWidth
  if (/^(BitWidth|RemoveBitwidth|MsbClamp)/.test(op)) return bitWidth
  if (op.startsWith("scale_shift_")) return shifted
  if (op.endsWith("ZeroPoint")) return kind === "trace" ? traced : zeroPoint
  return undefined
}

export const replay: Replay = async (testCase, backend): Promise<Outcome> => {
  const evaluate = evaluateOf(testCase)
  return evaluate === undefined
    ? unsupported(`no brick for "${testCase.config.op}"`)
    : on(backend, () => compared(testCase, evaluate(testCase)))
}
