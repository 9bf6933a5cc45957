/**
 * Replays group-wise quantizers, and the step that merges groups back.
 */
import * as tf from "@tensorflow/tfjs-core"
import { merged } from "../../../src/core/TensorQuantizer.ts"
import * as View from "../../../src/core/View.ts"
import type { Case, Outcome, Replay } from "../Case.ts"
import { replaySearch } from "./build/Search.ts"
import { compared, on, type Tensors, tensorsOf } from "./Core.ts"
import { whole } from "./Whole.ts"

const expand = (testCase: Case, inputs: Tensors): Outcome => {
  const { value_grouped: value, scale_grouped: scale, zero_point_grouped: zeroPoint } = inputs
  const { group_dim: groupDim, dequant_shape: shape } = testCase.config
  const groupSize = (value as tf.Tensor).shape[groupDim + 1] as number
  const view = View.DynamicOverSubChannelBlockView({ groupSize, groupDim })
  const parts = { value, scale, zeroPoint, bitWidth: tf.scalar(8) } as Parameters<typeof merged>[0]
  const whole = merged(parts, view, shape)
  return compared(testCase, { outputs: { value: whole.value, scale: whole.scale, zero_point: whole.zeroPoint } })
}

export const replay: Replay = async (testCase, backend) => {
  const { op } = testCase.config
  if (op === "groupwise_search_quantizer") return replaySearch(testCase, backend)
  return on(backend, () => (op === "group_expand" ? expand : whole)(testCase, tensorsOf(testCase.inputs)))
}
