/**
 * Replays `api/quant_tensor`: one operation per case, with its gradients.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as QuantTensor from "../../../src/core/QuantTensor.ts"
import * as Gradient from "../../../src/tensor/Gradient.ts"
import { type Case, type Outcome, type Replay, unsupported } from "../Case.ts"
import { on, tensorOf } from "./Core.ts"
import { type Difference, differences, gradientDifferences, outcomeOf } from "./quantizers/Compared.ts"
import { Failed } from "./quantTensors/Failed.ts"
import { type Answer, type Args, operations } from "./quantTensors/Operations.ts"
import { readValue, written } from "./quantTensors/Written.ts"

type Value = QuantTensor.Value

// ---- errors -------------------------------------------------------------------------------------------------

/** The texts of the reference and the errors that say the same. */
const kinds: ReadonlyArray<readonly [text: RegExp, tag: string, property?: string]> = [
  [/Scaling factors are different/, "ScaleMismatch"],
  [/Bit widths are different/, "FormatMismatch", "bit width"],
  [/Signs are different/, "FormatMismatch", "sign"],
  [/Zero points are different/, "FormatMismatch", "zero-point"],
  [/Zero-points of \w+ operands are non-zero/, "UnsupportedZeroPoint"],
  [/QuantTensor not valid/, "InvalidQuantTensor"]
]

const errorDifferences = (expected: any, actual: Failed | undefined): ReadonlyArray<Difference> => {
  const wanted = kinds.find(([text]) => text.test(expected?.message ?? ""))
  const agrees =
    wanted !== undefined &&
    actual?.error._tag === wanted[1] &&
    (wanted[2] === undefined || actual.error.property === wanted[2])
  if (agrees) return []
  const got = actual === undefined ? "an answer" : `${actual.error._tag}: ${actual.error.message}`
  return [
    { path: `error.${actual?.error._tag ?? "none"}`, text: `expected ${expected?.message ?? "an answer"}, got ${got}` }
  ]
}

// ---- replaying ----------------------------------------------------------------------------------------------

/** The tensors of the arguments under the names of their gradients. */
const named = (args: Args): Readonly<Record<string, tf.Tensor>> =>
  Object.fromEntries(
    args.flatMap(
      (x, i): ReadonlyArray<readonly [string, tf.Tensor]> =>
        QuantTensor.isQuantTensor(x)
          ? [
              [`${i}.value`, x.value],
              [`${i}.scale`, x.scale]
            ]
          : x.dtype === "int32"
            ? []
            : [[String(i), x]]
    )
  )
const withTensors = (args: Args, tensors: Readonly<Record<string, tf.Tensor>>): Args =>
  args.map((x, i) =>
    QuantTensor.isQuantTensor(x)
      ? { ...x, value: tensors[`${i}.value`] as tf.Tensor, scale: tensors[`${i}.scale`] as tf.Tensor }
      : (tensors[String(i)] ?? x)
  )

const slopes = (f: (args: Args) => Answer, args: Args, upstream: any): Readonly<Record<string, tf.Tensor | null>> => {
  const tensors = named(args)
  const names = Object.keys(tensors)
  const weighed = (x: tf.Tensor, by: any): tf.Tensor => tf.sum(tf.mul(tf.reshape(x, by.shape), tensorOf(by)))
  const loss = (given: ReadonlyArray<tf.Tensor>): tf.Tensor => {
    const answer = f(withTensors(args, Object.fromEntries(names.map((name, i) => [name, given[i] as tf.Tensor]))))
    const y = answer as Value
    const ofValue = weighed(QuantTensor.dequantized(y), upstream.value)
    return upstream.scale !== undefined && QuantTensor.isQuantTensor(y)
      ? tf.add(ofValue, weighed(y.scale, upstream.scale))
      : ofValue
  }
  const { gradients } = Gradient.valueAndGradients(loss, Object.values(tensors))
  return Object.fromEntries(names.map((name, i) => [name, gradients[i] as tf.Tensor | null]))
}

const evaluated = (f: (args: Args) => Answer, args: Args): Answer | Failed => {
  try {
    return f(args)
  } catch (cause) {
    if (cause instanceof Failed) return cause
    throw cause
  }
}

const sizesOf = (written: any): number => (written?.data ?? []).reduce((sum: number, x: number) => sum + Math.abs(x), 0)

/** The size of the terms that a gradient sums: what `dy` weighs, over the scale where it runs through it. */
const terms = (testCase: Case): number => {
  const { args = [], upstream } = testCase.inputs ?? {}
  const scale = Math.min(1, ...args.flatMap((x: any) => x.scale?.data ?? []))
  return (
    (sizesOf(upstream?.value) * Math.max(1, ...args.map((x: any) => Math.max(...x.value.data.map(Math.abs))))) / scale
  )
}

/** Whether minifloats are valid is written as a tensor of one truth. */
const expectedOf = (result: any): any =>
  result?.value?.dtype === "bool" ? { type: "plain", value: result.value.data[0] } : result

/** Sums in another order differ by units in the last place of their largest terms. */
const isRounding = ({ path, off }: Difference): boolean => path === "result.value" && off !== undefined && off <= 1e-6

const compared = (testCase: Case, operation: (args: Args, config: any) => Answer): Outcome => {
  const { config, inputs, outputs, grads = {} } = testCase
  const args: Args = inputs.args.map(readValue)
  const f = (given: Args): Answer => operation(given, config)
  const answer = evaluated(f, args)
  if (answer instanceof Failed || outputs.error !== undefined)
    return outcomeOf(testCase, errorDifferences(outputs.error, answer instanceof Failed ? answer : undefined))
  const found = differences(expectedOf(outputs.result), written(answer), "result").filter((one) => !isRounding(one))
  if (found.length > 0 || inputs.upstream === undefined || Object.keys(grads).length === 0)
    return outcomeOf(testCase, found)
  const size = terms(testCase)
  const scales = /scale/
  return outcomeOf(
    testCase,
    gradientDifferences(grads, slopes(f, args, inputs.upstream), "grads", (name) => (scales.test(name) ? size : 0))
  )
}

export const replay: Replay = (testCase, backend) => {
  const operation = operations[testCase.config.op]
  return operation === undefined
    ? Promise.resolve(unsupported(`no operation "${testCase.config.op}"`))
    : on(backend, () => compared(testCase, operation))
}
