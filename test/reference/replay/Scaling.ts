/**
 * Replays the vectors of scales, restrictions, thresholds, pre-scales and truncation scales.
 */
import * as tf from "@tensorflow/tfjs-core"
import type * as Brick from "../../../src/core/Brick.ts"
import { FloatScaling } from "../../../src/core/FloatScaling.ts"
import * as Restricted from "../../../src/core/Restricted.ts"
import { heScale } from "../../../src/core/Scaling.ts"
import { affine } from "../../../src/core/StatsScaling.ts"
import * as Tree from "../../../src/tensor/Tree.ts"
import { type Case, type Outcome, type Replay, unsupported } from "../Case.ts"
import { intScalingOf, preScalingOf, restrictionOf, scalingOf, truncScalingOf } from "./build/Scaling.ts"
import { compared, type Evaluated, gradients, on, type Tensors, tensorsOf } from "./Core.ts"

const never: Brick.State = { parameters: {}, memory: {}, training: false }

/** The value of `f` and the gradients that the case asks for. */
const evaluated = (testCase: Case, inputs: Tensors, f: (given: Tensors) => tf.Tensor): Evaluated => ({
  outputs: { value: f(inputs) },
  grads: inputs.cotangent === undefined ? {} : gradients(f, inputs, Object.keys(testCase.grads ?? {}), inputs.cotangent)
})

/** A brick's state with the learned values that `given` has, by the last part of their paths. */
const stateOf = (
  brick: Brick.Brick,
  names: Readonly<Record<string, string>>,
  given: Tensors,
  training = false
): Brick.State => ({
  parameters: Tree.map(brick.parameters, (leaf, path) => given[names[path] ?? ""] ?? leaf),
  memory: brick.memory,
  training
})

const affinePaths = (prefix: string) => ({
  [`${prefix}affineRescaling.affineWeight`]: "affine_weight",
  [`${prefix}affineRescaling.affineBias.value`]: "affine_bias"
})
const names = { value: "param_value", ...affinePaths("statsScalingImpl.") }
const preNames = { value: "norm_param", "scalingImpl.value": "scale_param" }

// ---- one evaluation -----------------------------------------------------------------------------------------

type Once = (testCase: Case, inputs: Tensors) => Evaluated

const scale: Once = (testCase, inputs) => {
  const brick = scalingOf(testCase.config, inputs)
  return evaluated(testCase, inputs, (given) => {
    const state = stateOf(brick, names, given)
    return brick.apply(state, given.x ?? tf.scalar(0), given.threshold)[0]
  })
}

const restriction =
  (part: (given: ReturnType<typeof restrictedOf>) => (v: tf.Tensor) => tf.Tensor): Once =>
  (testCase, inputs) =>
    evaluated(testCase, inputs, ({ x }) => part(restrictedOf(testCase.config))(x as tf.Tensor))

const restrictedOf = (config: any) =>
  Restricted.make({
    restrictScalingImpl: restrictionOf(config),
    restrictThresholdImpl: undefined,
    restrictScaleThresholdImpl: undefined,
    scalingMinVal: config.scaling_min_val ?? undefined,
    isScaleUnsigned: config.is_scale_unsigned ?? true
  })

const intScaling: Once = (testCase, inputs) => {
  const { op, signed, narrow_range: narrowRange } = testCase.config
  const brick = intScalingOf(op, { signed, narrowRange })
  return evaluated(testCase, inputs, ({ bit_width }) => brick.apply(bit_width as tf.Tensor))
}

const truncScaling: Once = (testCase, inputs) => {
  const brick = truncScalingOf(testCase.config, inputs)
  return evaluated(testCase, inputs, ({ input_bit_width, output_bit_width }) => {
    const state = { ...never, parameters: brick.parameters, memory: brick.memory }
    return brick.apply(state, tf.scalar(0), input_bit_width as tf.Tensor, output_bit_width as tf.Tensor)[0]
  })
}

const preScaling: Once = (testCase, inputs) => {
  const { input_bit_width: bits, input_is_signed: signed } = testCase.config
  const brick = preScalingOf(testCase.config, inputs)
  const width = typeof bits === "number" ? tf.scalar(bits) : undefined
  return evaluated(
    testCase,
    inputs,
    (given) => brick.apply(stateOf(brick, preNames, given), given.x as tf.Tensor, width, signed ?? undefined)[0]
  )
}

const once: Readonly<Record<string, Once>> = {
  restrict_value: restriction(({ restrict }) => restrict),
  restrict_init: restriction(({ init }) => init),
  restrict_clamp_value: restriction(({ restrictClamp }) => restrictClamp),
  ConstScaling: scale,
  ParameterScaling: scale,
  StatsFromParameterScaling: scale,
  RuntimeDynamicGroupStatsScaling: scale,
  RuntimeDynamicStatsScaling: scale,
  ParameterScaling_init: ({ config }, inputs) => {
    const brick = scalingOf({ ...config, op: "ParameterScaling" }, inputs)
    const [value] = brick.apply({ ...never, parameters: brick.parameters }, tf.scalar(0))
    return { outputs: { param_value: brick.parameters.value as tf.Tensor, value } }
  },
  IntScaling: intScaling,
  PowerOfTwoIntScaling: intScaling,
  FloatScaling: ({ config }) => ({
    outputs: {
      value: FloatScaling({ maxAvailableFloat: config.max_available_float ?? undefined }).apply({
        exponentBitWidth: config.exponent_bit_width,
        mantissaBitWidth: config.mantissa_bit_width,
        exponentBias: config.exponent_bias
      })
    }
  }),
  TruncMsbScaling: truncScaling,
  TruncScalingWrapper: truncScaling,
  affine_rescaling: (testCase, inputs) => {
    const { shape: scalingShape } = inputs.affine_weight as tf.Tensor
    const brick = affine({
      scalingShape,
      scalingAffineRescalingInit: 1,
      scalingAffineShiftingInit: inputs.affine_bias === undefined ? undefined : 0
    })
    const paths = { affineWeight: "affine_weight", "affineBias.value": "affine_bias" }
    return evaluated(testCase, inputs, (given) => brick.apply(stateOf(brick, paths, given), given.x as tf.Tensor)[0])
  },
  HeScalingInit: ({ config }) => {
    const weights = config.parameter_shapes.map((shape: ReadonlyArray<number>) => ({
      size: tf.util.sizeFromShape([...shape]),
      channels: shape[0]
    }))
    return { outputs: { value: tf.scalar(heScale(weights)) } }
  },
  ParameterPreScalingWeightNorm: preScaling,
  AccumulatorAwareParameterPreScaling: preScaling,
  AccumulatorAwareZeroCenterParameterPreScaling: preScaling,
  pre_scaling_init: ({ config }, inputs) => {
    const brick = preScalingOf(
      {
        stats_reduce_dim: 1,
        view: "OverOutputChannelView",
        scaling: { op: "ParameterScaling" },
        ...config,
        op: "ParameterPreScalingWeightNorm"
      },
      inputs
    )
    return { outputs: { norm_param: brick.parameters.value as tf.Tensor } }
  }
}

// ---- traces -------------------------------------------------------------------------------------------------

/** What the vectors call the learned values and the running ones. */
const parameterNames: Readonly<Record<string, string>> = names
const memoryNames: Readonly<Record<string, string>> = {
  buffer: "buffer",
  counter: "counter",
  "runtimeStats.runningStats": "running_stats"
}

/** One object at steps 0, 1, …: it keeps its state, and plain gradient descent moves its parameters where the case says so. */
const trace = (testCase: Case, inputs: Tensors): Evaluated => {
  const { config } = testCase
  const brick = scalingOf(config, inputs)
  const steps: ReadonlyArray<string> = config.steps ?? Array.from({ length: config.num_steps }, () => "train")
  const outputs: Record<string, tf.Tensor> = {}
  const grads: Record<string, tf.Tensor | null> = {}
  let { parameters, memory } = stateOf(brick, parameterNames, inputs)
  for (const [k, mode] of steps.entries()) {
    const x = inputs[`x@${k}`] as tf.Tensor
    const before: Brick.State = { parameters, memory, training: mode === "train", tracked: [x] }
    const state = { ...before, ...brick.prepare(before) }
    const learned = Object.fromEntries(
      Tree.leaves(state.parameters).map(([path, leaf]) => [parameterNames[path] as string, leaf])
    )
    const f = (given: Tensors): tf.Tensor => {
      const at = {
        ...state,
        parameters: Tree.map(state.parameters, (_, path) => given[parameterNames[path] as string] as tf.Tensor),
        tracked: [given.x as tf.Tensor]
      }
      return brick.apply(at, given.x as tf.Tensor, inputs.threshold)[0]
    }
    const given = { ...learned, x }
    const found = gradients(f, given, Object.keys(given), inputs[`cotangent@${k}`] as tf.Tensor)
    const [value, after] = brick.apply(state, x, inputs.threshold)
    outputs[`value@${k}`] = value
    for (const [name, leaf] of Object.entries(learned)) outputs[`${name}@${k}`] = leaf
    for (const [path, leaf] of Tree.leaves(after))
      outputs[`${memoryNames[path] ?? path}@${k}`] = typeof leaf === "number" ? tf.scalar(leaf) : leaf
    for (const [name, gradient] of Object.entries(found)) grads[`${name}@${k}`] = gradient
    parameters = Tree.map(state.parameters, (leaf, path) => {
      const gradient = found[parameterNames[path] as string]
      return typeof config.sgd_lr !== "number" || gradient === null || gradient === undefined
        ? leaf
        : tf.sub(leaf, tf.mul(gradient, config.sgd_lr))
    })
    memory = after
  }
  return { outputs, grads }
}

// ---- replay -------------------------------------------------------------------------------------------------

const answer = (testCase: Case): Outcome => {
  const { config } = testCase
  const inputs = tensorsOf(testCase.inputs)
  if (config.kind === "trace") return compared(testCase, trace(testCase, inputs))
  const evaluate = Object.hasOwn(once, config.op) ? once[config.op] : undefined
  if (evaluate === undefined) return unsupported(`no op "${config.op}"`)
  return compared(testCase, evaluate(testCase, inputs))
}

export const replay: Replay = (testCase, backend) => on(backend, () => answer(testCase))
