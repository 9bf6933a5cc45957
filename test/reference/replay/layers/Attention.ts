/**
 * Multi-head and scaled dot-product attention.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Effect, Scope } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Attention from "../../../../src/nn/Attention.ts"
import type * as Layer from "../../../../src/nn/Layer.ts"
import * as ScaledDotProduct from "../../../../src/nn/ScaledDotProduct.ts"
import type { Case, Outcome } from "../../Case.ts"
import { tensorOf } from "../Core.ts"
import { camelOf } from "../quantizers/Names.ts"
import * as Answer from "./Answer.ts"
import * as Layout from "./Layout.ts"
import { type Measuring, measured, outcome } from "./Measured.ts"
import { slotsOf } from "./Options.ts"

type Parts = Readonly<Record<string, tf.Tensor>>
type Make = Effect.Effect<Layer.Layer<Parts, Layer.Values>, unknown, Scope.Scope>

const prefixesOf = (...slots: ReadonlyArray<string>): Readonly<Record<string, string>> =>
  Object.fromEntries(slots.map((slot) => [slot, `${slot.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}_`]))
const inner = ["softmaxInput", "attnOutputWeights", "qScaled", "kTransposed", "v"]
const projections = ["inProjInput", "inProjWeight", "inProjBias"]
const outputs = ["outProjInput", "outProjWeight", "outProjBias", "outProjOutput"]
const multihead = prefixesOf(...inner, ...projections, ...outputs)
const dotProduct = prefixesOf(...inner, "sdpaOutput")

/** A mask with the type that it has in the file. */
const maskOf = (written: any): tf.Tensor =>
  written.dtype === "bool" ? tf.tensor(written.data, written.shape, "bool") : tensorOf(written)

const masksOf = (inputs: any): Parts =>
  Object.fromEntries(
    ["attn_mask", "key_padding_mask"].flatMap((name) =>
      inputs[name] === undefined ? [] : [[camelOf(name), maskOf(inputs[name])] as const]
    )
  )

const partsOf = (written: ReadonlyArray<any>, masks: Parts): Parts => {
  const [query, key, value] = written.map((one) => tensorOf(one))
  return { ...masks, ...Object.fromEntries(Object.entries({ query, key, value }).filter(([, x]) => x)) } as Parts
}

/** What both kinds have in common: the layer, and what its answer is. */
const replayed = (
  testCase: Case,
  layer: Make,
  answerOf: (y: Layer.Values) => Layer.Value,
  more: (y: Layer.Values) => ReturnType<Measuring<Parts>["expected"]>
): Promise<Outcome> => {
  const { config, inputs, outputs } = testCase
  const { params = {} } = inputs
  const masks = masksOf(inputs)
  const x = partsOf(inputs.x, masks)
  const tensors = Object.fromEntries(Object.entries(x).filter(([name]) => !Object.hasOwn(masks, name)))
  const measuring: Measuring<Parts> = {
    layer,
    parameters: Object.fromEntries(
      Object.entries(params).map(([name, one]) => [camelOf(name), Layout.ours(Layout.outputLast, tensorOf(one as any))])
    ),
    calib: inputs.calib.map((one: any) => partsOf(one, masks)),
    x,
    training: config.mode === "train",
    variables: tensors,
    withVariables: (now) => ({ ...masks, ...now }),
    losses: (y) => [[QuantTensor.dequantized(answerOf(y)), tensorOf(inputs.upstream)]],
    layouts: Object.fromEntries(Object.keys(params).map((name) => [name, Layout.outputLast])),
    expected: (y) => [["out", outputs.out, Answer.answerOf(answerOf(y), Layout.asItIs)], ...more(y)]
  }
  return outcome(testCase, measured(testCase, measuring))
}

/** A layer of a case, from its arguments and quantizers. */
export const multiheadOf = (testCase: Case): Make => {
  const { args = {}, return_quant_tensor: returnQuantTensor } = testCase.config
  const { bias: hasBias = true, batch_first: batchFirst = false, ...rest } = args
  const options: any = {
    ...Object.fromEntries(Object.entries(rest).map(([name, value]) => [camelOf(name), value])),
    hasBias,
    batchFirst,
    ...(returnQuantTensor === true && { returnQuantTensor }),
    ...slotsOf(testCase, multihead)
  }
  return Attention.quantMultiheadAttention(options) as unknown as Make
}

export const replayMultihead = (testCase: Case): Promise<Outcome> =>
  replayed(
    testCase,
    multiheadOf(testCase),
    (y) => (y as Attention.Output).output,
    (y) => [["attention_weights", testCase.outputs.attention_weights, (y as Attention.Output).weights]]
  )

export const replayDotProduct = (testCase: Case): Promise<Outcome> => {
  const { scale, is_causal: isCausal } = testCase.config
  const options: any = { isCausal, ...(scale !== null && { scale }), ...slotsOf(testCase, dotProduct) }
  const layer = ScaledDotProduct.quantScaledDotProductAttention(options) as unknown as Make
  return replayed(
    testCase,
    layer,
    (y) => y as Layer.Value,
    () => []
  )
}
