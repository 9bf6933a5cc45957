/**
 * Replays one case of a whole quantizer: a call with its gradients, or a trace, and what is learned at first.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { TensorQuantizer } from "../../../src/core/TensorQuantizer.ts"
import { type Case, failed, type Outcome, passed } from "../Case.ts"
import { withPreset } from "./build/Preset.ts"
import { quantizerOf } from "./build/Quantizer.ts"
import { compared, gradients, type Tensors } from "./Core.ts"
import { called, externalOf, learnedOf, outputsOf, throughScale, traced } from "./Quantizing.ts"

/** What a call answers, under the names of the vectors. */
export type Outputs = Readonly<Record<string, tf.Tensor | undefined>>

/** Compares what `f` answers, and the gradients of its value. */
export const compare = (testCase: Case, inputs: Tensors, f: (inputs: Tensors) => Outputs): Outcome => {
  const names = Object.keys(testCase.grads ?? {})
  const grads =
    names.length === 0
      ? {}
      : gradients((given) => f(given).value as tf.Tensor, inputs, names, inputs.cotangent as tf.Tensor)
  return compared(testCase, { outputs: f(inputs), grads }, { throughScale })
}

/** The configuration of the quantizer itself: a preset's is what it equals, with what the case says besides. */
const configOf = ({ equivalent, ...config }: any): any =>
  equivalent === undefined ? config : { ...config, ...equivalent }

/** The initial scale of presets with a norm, by the words that the vectors have for it. */
const wordsOf = (config: any): ReadonlyArray<string> =>
  [config.scaling, config.pre_scaling?.scaling].flatMap((one) =>
    typeof one?.initial_value === "string" ? [one.initial_value] : []
  )
const absMaxPerChannel = (config: any, x: tf.Tensor): tf.Tensor => {
  const rows = tf.max(tf.abs(tf.reshape(x, [x.shape[0] as number, -1])), 1)
  return tf.reshape(tf.div(rows, 2 ** (config.bit_width.bit_width - 1) - 1), config.scaling.output_shape)
}
const initialValues = (config: any, inputs: Tensors): Tensors => {
  const words = wordsOf(config)
  const unknown = words.find((text) => text !== "absmax per channel / (2^(bit_width-1) - 1)")
  if (unknown !== undefined) throw new Error(`unknown initial value "${unknown}"`)
  return Object.fromEntries(words.map((text) => [text, absMaxPerChannel(config, inputs.x as tf.Tensor)]))
}

/** What the quantizer learns at first from its input. */
const learnedFrom = (self: TensorQuantizer, inputs: Tensors) =>
  learnedOf(self.prepare({ ...self, training: true, tracked: [inputs.x as tf.Tensor] }).parameters)

/** Whether what a preset learns begins as the case says. */
const initialised = (testCase: Case, self: TensorQuantizer, inputs: Tensors): Outcome => {
  if (testCase.config.parameters_are_post_init_values !== true) return passed
  const learned = learnedFrom(self, inputs)
  const outputs = Object.fromEntries(Object.keys(learned).map((name) => [name, testCase.inputs[name]]))
  return compared({ ...testCase, outputs, grads: {} }, { outputs: learned })
}

const replayed = (testCase: Case, self: TensorQuantizer, inputs: Tensors): Outcome => {
  const config = configOf(testCase.config)
  const begun = initialised(testCase, self, inputs)
  if (begun.kind === "failed") return failed(`at first ${begun.reason}`)
  if (config.kind === "trace") return traced(testCase, self, inputs, (mine) => externalOf(config, mine))
  const learned = learnedFrom(self, inputs)
  return compare(testCase, inputs, (given) => ({
    ...outputsOf(called(self, config, given), given.x as tf.Tensor),
    ...learned
  }))
}

/** Whether two quantizers answer the same bits. */
const sameBits = (testCase: Case, one: TensorQuantizer, other: TensorQuantizer, inputs: Tensors): Outcome => {
  const config = configOf(testCase.config)
  if (config.kind === "trace") return passed
  const [expected, actual] = [one, other].map((self) => outputsOf(called(self, config, inputs), inputs.x as tf.Tensor))
  const differing = Object.entries(expected as Outputs).find(([name, tensor]) => {
    const found = actual?.[name]
    return JSON.stringify([tensor?.arraySync()]) !== JSON.stringify([found?.arraySync()])
  })
  return differing === undefined ? passed : failed(`${differing[0]}: other bits than the equivalent`)
}

/** Replays a case whose config, or its `equivalent`, is a quantizer; and the entry of the catalogue that it is said to equal. */
export const whole = (testCase: Case, inputs: Tensors): Outcome => {
  const config = configOf(testCase.config)
  const self = quantizerOf(config, { ...inputs, ...initialValues(config, inputs) })
  const outcome = replayed(testCase, self, inputs)
  if (outcome.kind === "failed") return outcome
  const ready = withPreset(testCase.config, inputs.x, (entry) => {
    const again = replayed(testCase, entry, inputs)
    return again.kind === "failed" ? again : sameBits(testCase, self, entry, inputs)
  })
  return ready?.kind === "failed" ? failed(`the catalogue's entry: ${ready.reason}`) : outcome
}
