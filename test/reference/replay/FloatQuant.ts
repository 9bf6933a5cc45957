/**
 * Replays `core/float_quant`: the constants of minifloat formats, their grid, quantizers, and the presets by their equivalents.
 */
import * as tf from "@tensorflow/tfjs-core"
import type * as Brick from "../../../src/core/Brick.ts"
import type { Quantized, TensorQuantizer } from "../../../src/core/TensorQuantizer.ts"
import * as Minifloat from "../../../src/op/Minifloat.ts"
import * as Tree from "../../../src/tensor/Tree.ts"
import { type Case, type Outcome, type Replay, unsupported } from "../Case.ts"
import { floatQuantOf, formatOf, reservedOf } from "./build/FloatQuant.ts"
import { type Comparison, compared, type Evaluated, gradients, on, type Tensors, tensorsOf } from "./Core.ts"

const learned: Readonly<Record<string, string>> = {
  "scalingImpl.value": "scale_param",
  "scalingImpl.statsScalingImpl.affineRescaling.affineWeight": "affine_weight",
  "scalingImpl.statsScalingImpl.affineRescaling.affineBias": "affine_bias"
}

/** The parameters under the names of the vectors. */
const named = (parameters: Tree.Parameters): Tensors =>
  Object.fromEntries(Tree.leaves(parameters).map(([path, leaf]) => [learned[path] ?? path, leaf]))

/** Those parameters that are given, in place of the quantizer's own. */
const replaced = (parameters: Tree.Parameters, given: Tensors): Tree.Parameters =>
  Tree.map(parameters, (leaf, path) => given[learned[path] ?? path] ?? leaf)

const stateOf = (self: TensorQuantizer, training: boolean, tracked: tf.Tensor): Brick.State => ({
  parameters: self.parameters,
  memory: self.memory,
  training,
  tracked: [tracked]
})

// ---- constants ----------------------------------------------------------------------------------------------

const constants: Readonly<Record<string, (config: any) => Evaluated["outputs"]>> = {
  format_constants: (config) => {
    const format = formatOf(config)
    const mantissa = tf.scalar(Minifloat.maxMantissa(format.mantissaBitWidth))
    return {
      max_mantissa: mantissa,
      max_float: Minifloat.maxFloat(tf.scalar(format.exponentBitWidth), mantissa, tf.scalar(format.exponentBias)),
      max_available_float: tf.scalar(Minifloat.maxAvailableFloat({ ...format, ...reservedOf(config) })),
      min_available_float: tf.scalar(Minifloat.minAvailableFloat(format)),
      internal_scale_exponent_min: tf.scalar(Minifloat.minExponent(format))
    }
  },
  minifloat_value: ({ exponent_bits, mantissa_bits, exponent_bias }) => ({
    value: tf.scalar(Minifloat.codeValue(exponent_bits, mantissa_bits, exponent_bias))
  })
}

const internalScale = (testCase: Case): Outcome => {
  const { mantissa_bit_width, internal_scale_exponent_min } = testCase.config
  const inputs = tensorsOf(testCase.inputs)
  const value = ({ x }: Tensors): tf.Tensor =>
    Minifloat.internalScale(x as tf.Tensor, mantissa_bit_width, internal_scale_exponent_min)
  const grads = gradients(value, inputs, ["x"], inputs.cotangent as tf.Tensor)
  // powers of two are exact
  const exact = compared({ ...testCase, grads: {} }, { outputs: { value: value(inputs) } }, { exact: true })
  return exact.kind === "passed" ? compared(testCase, { outputs: { value: value(inputs) }, grads }) : exact
}

// ---- quantizers ---------------------------------------------------------------------------------------------

const throughScale: Comparison = { throughScale: ["scale_param", "affine_weight", "affine_bias"] }

/** The value on the grid, not yet scaled: what the same format makes of `x / scale` with the scale 1. */
const gridOf = (config: any, x: tf.Tensor, { scale }: Quantized): tf.Tensor => {
  const unscaled = floatQuantOf({ ...config, scaling: null, float_scaling: null }, {})
  const u = tf.div(x, scale)
  return unscaled.apply(stateOf(unscaled, false, u), u)[0].value
}

const outputsOf = (config: any, x: tf.Tensor, quantized: Quantized) => ({
  value: quantized.value,
  scale: quantized.scale,
  zero_point: quantized.zeroPoint,
  exponent_bit_width: tf.scalar(config.exponent_bit_width),
  mantissa_bit_width: tf.scalar(config.mantissa_bit_width),
  exponent_bias: tf.scalar(config.exponent_bias),
  minifloat: gridOf(config, x, quantized)
})

const quantizer = (testCase: Case, config: any): Outcome => {
  const inputs = tensorsOf(testCase.inputs)
  const self = floatQuantOf(config, inputs)
  const run = (given: Tensors): Quantized => {
    const x = given.x as tf.Tensor
    const initial = { ...stateOf(self, true, x), parameters: replaced(self.parameters, given) }
    return self.apply({ ...initial, ...self.prepare(initial) }, x)[0]
  }
  const names = Object.keys(testCase.grads ?? {})
  const { cotangent } = inputs
  const grads =
    cotangent === undefined || names.length === 0
      ? {}
      : gradients((given) => run(given).value, inputs, names, cotangent)
  return compared(testCase, { outputs: outputsOf(config, inputs.x as tf.Tensor, run(inputs)), grads }, throughScale)
}

/** Every step prepares, quantizes, shows its parameters, and then follows their gradients. */
const trace = (testCase: Case, config: any): Outcome => {
  const inputs = tensorsOf(testCase.inputs)
  const { steps, sgd_lr: rate } = testCase.config
  const self = floatQuantOf(config, inputs)
  const outputs: Record<string, tf.Tensor> = {}
  const grads: Record<string, tf.Tensor | null> = {}
  ;(steps as ReadonlyArray<"train" | "eval">).reduce(
    (before, mode, k) => {
      const [x, cotangent] = [inputs[`x@${k}`] as tf.Tensor, inputs[`cotangent@${k}`] as tf.Tensor]
      const { parameters: from, memory: remembered } = before
      const unprepared = { ...stateOf(self, mode === "train", x), parameters: from, memory: remembered }
      const state = { ...unprepared, ...self.prepare(unprepared) }
      const run = (given: Tensors) =>
        self.apply({ ...state, parameters: replaced(state.parameters, given) }, given.x as tf.Tensor)
      const given: Tensors = { ...named(state.parameters), x }
      const [quantized, memory] = run(given)
      for (const [name, output] of Object.entries({ ...outputsOf(config, x, quantized), ...named(state.parameters) }))
        outputs[`${name}@${k}`] = output
      const found = gradients((now) => run(now)[0].value, given, Object.keys(given), cotangent)
      for (const [name, gradient] of Object.entries(found)) grads[`${name}@${k}`] = gradient
      const parameters = Tree.map(state.parameters, (leaf, path) => {
        const gradient = found[learned[path] ?? path]
        return gradient === null || gradient === undefined || rate === null
          ? leaf
          : tf.sub(leaf, tf.mul(gradient, rate))
      })
      return { parameters, memory }
    },
    { parameters: self.parameters, memory: self.memory }
  )
  const ofScales = Object.keys(grads).filter((name) => !name.startsWith("x@"))
  return compared(testCase, { outputs, grads }, { throughScale: ofScales })
}

const outcomeOf = (testCase: Case): Outcome => {
  const { config } = testCase
  const ofFormat = constants[config.op]
  if (ofFormat !== undefined) return compared(testCase, { outputs: ofFormat(config) }, { exact: true })
  if (config.op === "float_internal_scale") return internalScale(testCase)
  const equivalent = config.op === "FloatQuant" ? config : config.equivalent
  if (equivalent?.op !== "FloatQuant") return unsupported(`no minifloat quantizer "${config.op}"`)
  return config.kind === "trace" ? trace(testCase, equivalent) : quantizer(testCase, equivalent)
}

export const replay: Replay = (testCase, backend) => on(backend, () => outcomeOf(testCase))
