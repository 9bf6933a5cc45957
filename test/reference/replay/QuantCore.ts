/**
 * Replays quantizers: binary, ternary, integer, decoupled, prescaled, truncating, with a delay, and ready-made ones.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { TensorQuantizer } from "../../../src/core/TensorQuantizer.ts"
import type { Case, Outcome, Replay } from "../Case.ts"
import { decoupledIntQuantOf, intQuantOf } from "./build/Quantizer.ts"
import { on, type Tensors, tensorsOf } from "./Core.ts"
import { externalOf, traced } from "./Quantizing.ts"
import { compare, whole } from "./Whole.ts"

// ---- integers with a grid from outside ----------------------------------------------------------------------

const never = { parameters: {}, memory: {}, training: true }

const gridOf = (config: any, inputs: Tensors) => ({
  scale: inputs.scale as tf.Tensor,
  zeroPoint: inputs.zero_point ?? tf.scalar(config.zero_point),
  bitWidth: inputs.bit_width ?? tf.scalar(config.bit_width)
})

const plain = (testCase: Case, inputs: Tensors): Outcome => {
  const { config } = testCase
  const self = intQuantOf(config.int_quant)
  if (config.kind === "trace") {
    const grid = gridOf(config, inputs)
    const { scale, zeroPoint, bitWidth } = grid
    const quantizer: TensorQuantizer = {
      ...self,
      apply: (state, x) => {
        const [value, memory] = self.apply(state, x, scale, zeroPoint, bitWidth)
        return [{ value, ...grid }, memory]
      }
    }
    return traced(testCase, quantizer, inputs, (mine) => externalOf(config, mine))
  }
  return compare(testCase, inputs, (given) => {
    const grid = gridOf(config, given)
    const x = given.x as tf.Tensor
    return {
      value: self.apply(never, x, grid.scale, grid.zeroPoint, grid.bitWidth)[0],
      int: self.toInt(never, x, grid)[0]
    }
  })
}

const decoupled = (testCase: Case, inputs: Tensors): Outcome => {
  const self = decoupledIntQuantOf(testCase.config.int_quant)
  return compare(testCase, inputs, (given) => {
    const x = given.x as tf.Tensor
    const preScale = given.pre_scale as tf.Tensor
    const preZeroPoint = given.pre_zero_point as tf.Tensor
    const grid = gridOf(testCase.config, given)
    return {
      value: self.apply(never, x, { ...grid, preScale, preZeroPoint })[0],
      int: self.toInt(never, x, { ...grid, scale: preScale, zeroPoint: preZeroPoint })[0]
    }
  })
}

const ops: Readonly<Record<string, (testCase: Case, inputs: Tensors) => Outcome>> = {
  IntQuant: plain,
  DecoupledIntQuant: decoupled
}

export const replay: Replay = (testCase, backend) =>
  on(backend, () => (ops[testCase.config.op] ?? whole)(testCase, tensorsOf(testCase.inputs)))
