/**
 * Where the quantizers of a float network belong: read off the calls of one run, as data.
 *
 * Room: ptq (level 5). Imports: tfjs types, `nn`, `proxy` types, `./Regions.ts`. Laws: test/ptq/Quantize.test.ts.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as Calls from "../nn/Calls.ts"
import type { Form } from "../nn/Form.ts"
import type * as Cell from "../proxy/Cell.ts"
import { ownOf } from "./Regions.ts"

/** What becomes of a layer with a weight. */
export interface Product {
  readonly name: string
  /** the value that it reads, if nobody has quantized it before */
  readonly input: tf.Tensor | undefined
  /** whether its output is quantized */
  readonly output: boolean
  /** whether the model answers what it answers */
  readonly isLast: boolean
}

/** What becomes of a layer without a weight. */
export interface Other {
  readonly form: Form
  readonly isUnsigned: boolean
  readonly output: boolean
  readonly isLast: boolean
}

/** Where quantizers belong in a model. */
export interface Plan {
  /** layers with weights, by their own cells */
  readonly products: ReadonlyMap<Cell.Cell, Product>
  /** activations, additions and concatenations, by their paths */
  readonly others: ReadonlyMap<string, Other>
  /** layers with something to quantize that are left as they are */
  readonly unknown: ReadonlyArray<string>
}

type Sign = "signed" | "unsigned"

const isProduct = (form: Form | undefined): boolean =>
  form?.op === "linear" || form?.op === "conv" || form?.op === "convTranspose" || form?.op === "scaleBias"

const isActivation = (form: Form | undefined): boolean =>
  form?.op === "relu" || form?.op === "sigmoid" || form?.op === "hardTanh"

const isJoin = (form: Form | undefined): boolean => form?.op === "add" || form?.op === "concat"

/** Whether all that read a value quantize it, or need no quantizer before them; an identity is looked through. */
const isTakenCare = (run: Calls.Run, y: tf.Tensor): boolean => {
  const readers = Calls.readersOf(run, y)
  return !run.outputs.includes(y) && readers.length > 0 && readers.every((reader) => quantizes(run, reader))
}

const quantizes = (run: Calls.Run, { layer: { form, proxies }, outputs }: Calls.Call): boolean => {
  if (form?.op === "identity") return proxies.length > 0 || outputs.every((y) => isTakenCare(run, y))
  return isActivation(form) || isJoin(form) || form?.op === "batchNorm"
}

/**
 * Where quantizers belong. Activations quantize what they answer; additions and concatenations what they read, on one grid; a layer
 * with a weight reads what is quantized, and quantizes what it answers unless all that read it do.
 *
 * - formula:  none
 * - shapes:   none
 * - gradient: none
 * - errors:   none; layers of unknown formulas are listed
 * - source:   Brevitas, graph/quantize.py and graph/quantize_impl.py (quantize)
 *
 * @category quantizing
 * @since 0.4.0
 */
export const of = (run: Calls.Run): Plan => {
  const signs = new Map<tf.Tensor, Sign>()
  const products = new Map<Cell.Cell, Product>()
  const others = new Map<string, Other>()
  const unknown: Array<string> = []
  for (const call of run.calls) {
    const { layer, path, inputs } = call
    const { form } = layer
    const [x, y] = [inputs[0], call.outputs[0]]
    if (form === undefined && layer.cells.length > 0) unknown.push(path)
    if (form === undefined || x === undefined || y === undefined) continue
    const isLast = run.outputs.includes(y)
    const output = !isTakenCare(run, y)
    const own = ownOf(layer)
    if (isProduct(form) && own !== undefined) {
      const before = products.get(own)
      products.set(own, {
        name: before?.name ?? path,
        input: before?.input ?? (signs.has(x) ? undefined : x),
        output: output || before?.output === true,
        isLast: isLast || before?.isLast === true
      })
      if (output) signs.set(y, "signed")
    } else if (isActivation(form)) {
      const isUnsigned = form.op !== "hardTanh"
      others.set(path, { form, isUnsigned, output: true, isLast: isLast || others.get(path)?.isLast === true })
      signs.set(y, isUnsigned ? "unsigned" : "signed")
    } else if (isJoin(form)) {
      const isUnsigned = inputs.every((one) => signs.get(one) === "unsigned")
      const quantized = form.op === "add" && output
      others.set(path, { form, isUnsigned, output: quantized, isLast })
      if (quantized || form.op === "concat") signs.set(y, isUnsigned ? "unsigned" : "signed")
    } else if (form.op === "identity" && layer.proxies.length > 0) signs.set(y, "signed")
    else if (form.op === "identity" || form.op === "maxPool" || form.op === "flatten") {
      const sign = signs.get(x)
      if (sign !== undefined) signs.set(y, sign)
    }
  }
  return { products, others, unknown }
}
