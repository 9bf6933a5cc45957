/**
 * Cases of steps that change weights layer after layer: GPTQ, GPFQ, Qronos, MagR.
 *
 * Integers of the quantized weights: exactly. Weights and outputs: 1e-4 of the largest one, since errors are fed back.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result, type Scope, Stream } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Layer from "../../../../src/nn/Layer.ts"
import * as State from "../../../../src/nn/State.ts"
import * as Weighted from "../../../../src/nn/Weighted.ts"
import * as Calibrate from "../../../../src/ptq/Calibrate.ts"
import * as Gpfq from "../../../../src/ptq/Gpfq.ts"
import * as Gptq from "../../../../src/ptq/Gptq.ts"
import * as Magr from "../../../../src/ptq/Magr.ts"
import * as Ptq from "../../../../src/ptq/Ptq.ts"
import * as Qronos from "../../../../src/ptq/Qronos.ts"
import { type Case, deviation, failed, type Outcome } from "../../Case.ts"
import * as Deviations from "../../Deviations.ts"
import * as Layout from "../layers/Layout.ts"
import { type Difference, outcomeOf } from "../quantizers/Compared.ts"
import * as Network from "./Network.ts"

/** What differs by more than a part of the largest number. */
export const near = (path: string, written: any, got: tf.Tensor, tolerance: number): ReadonlyArray<Difference> => {
  const [wanted, values] = [written.data as ReadonlyArray<number>, got.dataSync()]
  if (values.length !== wanted.length)
    return [{ path, text: `${path}: ${values.length} for ${wanted.length} elements` }]
  const size = Math.max(...wanted.map(Math.abs), 1e-3)
  const off = wanted.map((x, i) => Math.abs(x - (values[i] as number)) / size)
  const at = off.findIndex((x) => !(x <= tolerance))
  if (at < 0) return []
  return [{ path, text: `${path}[${at}]: expected ${wanted[at]}, got ${values[at]}`, off: Math.max(...off) }]
}

/** How long the rows of a layer's weight are, and how many groups they are in. */
const rowsOf = ({ config, inputs }: Case, name: string): { readonly columns: number; readonly groups: number } => {
  const [, ...row] = inputs.params[`${name}.weight`].shape as ReadonlyArray<number>
  return { columns: row.reduce((a, b) => a * b, 1), groups: config.model[Number(name)]?.args?.groups ?? 1 }
}

/**
 * The vectors where searches for eigenvalues begin, by layer and group. The reference goes through the layers of one pass in no
 * certain order, so each layer takes the first ones of its length.
 */
const startsOf = (
  testCase: Case,
  model: Layer.Layer
): Readonly<Record<string, ReadonlyArray<ReadonlyArray<number>>>> => {
  const all = [...((testCase.inputs.power_iteration_start ?? []) as ReadonlyArray<any>)].map((one) => one.data)
  return Object.fromEntries(
    Ptq.weighted(model).map(({ name }) => {
      const { columns, groups } = rowsOf(testCase, name)
      const at = all.findIndex(({ length }) => length === columns)
      return [name, at < 0 ? [] : all.splice(at, groups)]
    })
  )
}

const steps: Readonly<Record<string, (x: Ptq.Batches, options: any) => Ptq.Step<unknown>>> = {
  gptq: Gptq.gptq,
  gpfq: Gpfq.gpfq,
  qronos: Qronos.qronos,
  magr: Magr.magr
}

const optionsOf = (testCase: Case, model: Layer.Layer): Readonly<Record<string, unknown>> => {
  const { mode_arguments: given = {} } = testCase.config
  return {
    ...(given.act_order !== undefined && { actOrder: given.act_order }),
    ...(given.num_blocks !== undefined && { blocks: given.num_blocks }),
    ...(given.use_quant_activations !== undefined && { quantActivations: given.use_quant_activations }),
    ...(given.create_weight_orig !== undefined && { original: given.create_weight_orig }),
    ...(given.alpha !== undefined && { alpha: given.alpha }),
    ...(given.num_steps !== undefined && { steps: given.num_steps }),
    start: startsOf(testCase, model)
  }
}

const tagOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : String(error)

const hasObservers = (model: Layer.Layer): boolean =>
  model.proxies.some(([, { slot }]) => Layer.activationSlots.includes(slot))

export const replayed = (testCase: Case): Effect.Effect<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { config, inputs, outputs } = testCase
    const begun = yield* Network.make(testCase)
    const calib = inputs.calib.map(Network.image) as ReadonlyArray<tf.Tensor>
    const model = hasObservers(begun) ? yield* Calibrate.calibrate(Stream.fromIterable(calib))(begun) : begun
    tf.dispose([...Layer.tensorsIn(yield* Layer.forward(model, calib[0] as tf.Tensor))])
    const batches = Stream.fromIterable(inputs.x.map(Network.image) as ReadonlyArray<tf.Tensor>)
    const step = steps[config.op] as (typeof steps)[string]
    const before = Ptq.weighted(model).map(({ layer }) => Layer.read(layer).get(layer.own)?.parameters.weight)
    const result = yield* Effect.result(step(batches, optionsOf(testCase, model))(model))
    if (Result.isFailure(result)) {
      const after = Ptq.weighted(model).map(({ layer }) => Layer.read(layer).get(layer.own)?.parameters.weight)
      const refused = after.every((weight, i) => weight === before[i]) ? tagOf(result.failure) : "halfway"
      const rule = Deviations.explaining(testCase, testCase.outputs, { refused, differing: ["refused"] })
      return rule === undefined ? failed(String(result.failure)) : deviation(rule.id)
    }
    const found: Array<Difference> = []
    const rounded = result.success
    const parameters = yield* State.parameters(rounded)
    for (const [name, written] of Object.entries(outputs.weights_after)) {
      const there = Layout.theirs(Network.layoutOf(config.model, name), parameters[name] as tf.Tensor)
      found.push(...near(`weight ${name}`, written, there, 1e-4))
    }
    for (const { name, layer } of Ptq.weighted(rounded)) {
      const wanted = outputs.quant_weights_after[name]
      if (wanted === undefined) continue
      const quantized = yield* Weighted.quantWeight(layer)
      const there = (x: tf.Tensor): tf.Tensor => Layout.theirs(Network.layoutOf(config.model, name), x)
      found.push(...near(`quantized ${name}`, wanted.value, there(quantized.value), 1e-5))
      if (wanted.int !== undefined && wanted.int !== null && QuantTensor.isValid(quantized))
        found.push(...near(`integers of ${name}`, wanted.int, there(QuantTensor.int(quantized)), 0))
      tf.dispose([...QuantTensor.tensorsOf(quantized)])
    }
    const y = yield* Layer.forward(rounded, Network.image(inputs.x_test))
    found.push(...near("out", outputs.out, Network.back(QuantTensor.dequantized(y)), 1e-4))
    tf.dispose([...Layer.tensorsIn(y)])
    return outcomeOf(testCase, found)
  })
