/**
 * Replays the exports to ONNX: models of layers, calibrated by a few calls, as graphs.
 *
 * Nodes in order with attributes and inputs; constants by content: whole numbers and types exactly, floats 1e-6 relative. The answer
 * of the model: 1e-5 relative to its largest element. Names are matched one to one.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result, type Scope } from "effect"
import * as QuantTensor from "../../../src/core/QuantTensor.ts"
import * as Onnx from "../../../src/exchange/Onnx.ts"
import * as OnnxEvaluator from "../../../src/exchange/OnnxEvaluator.ts"
import type * as OnnxModel from "../../../src/exchange/OnnxModel.ts"
import * as OnnxProto from "../../../src/exchange/OnnxProto.ts"
import { OnnxRuntime } from "../../../src/exchange/OnnxRuntime.ts"
import * as Activation from "../../../src/nn/Activation.ts"
import * as Convolution from "../../../src/nn/Convolution.ts"
import * as Layer from "../../../src/nn/Layer.ts"
import * as Linear from "../../../src/nn/Linear.ts"
import * as Model from "../../../src/nn/Model.ts"
import * as Pooling from "../../../src/nn/Pooling.ts"
import * as State from "../../../src/nn/State.ts"
import * as Truncated from "../../../src/nn/Truncated.ts"
import * as Random from "../../../src/tensor/Random.ts"
import { type Case, deviation, failed, type Outcome, passed, type Replay, unsupported } from "../Case.ts"
import * as Deviations from "../Deviations.ts"
import { on, tensorOf } from "./Core.ts"
import * as Layout from "./layers/Layout.ts"
import { optionsOf } from "./layers/Options.ts"

// ---- models -------------------------------------------------------------------------------------------------

interface Written {
  readonly layer: string
  readonly args?: any
  readonly quantizers?: Readonly<Record<string, string | null>>
  readonly kwargs?: Readonly<Record<string, unknown>>
  readonly ret?: boolean
}

type Made = Effect.Effect<Layer.Layer, unknown, Scope.Scope>
type Make = (options: any) => Made
type Roles = Parameters<typeof optionsOf>[1]

const quantized = (make: unknown, roles: Roles, own: (args: any) => object = () => ({})) =>
  (({ args, quantizers = {}, kwargs, ret = false }: Written): Made =>
    (make as Make)({
      ...own(args),
      ...optionsOf({ config: { quantizers, kwargs, return_quant_tensor: ret } } as Case, roles)
    })) as (written: Written) => Made

const pair = (n: number): readonly [number, number] => [n, n]
const weightRoles: Roles = ["weight", "bias", "input", "output"]

const kinds: Readonly<Record<string, (written: Written) => Made>> = {
  QuantIdentity: quantized(Activation.quantIdentity, ["act"]),
  QuantReLU: quantized(Activation.quantReLU, ["act"]),
  QuantSigmoid: quantized(Activation.quantSigmoid, ["act"]),
  QuantLinear: quantized(Linear.quantLinear, weightRoles, (args) => ({
    inFeatures: args.in_features,
    outFeatures: args.out_features,
    hasBias: args.bias
  })),
  QuantConv2d: quantized(Convolution.quantConv2d, weightRoles, (args) => ({
    inChannels: args.in_channels,
    outChannels: args.out_channels,
    kernelSize: pair(args.kernel_size),
    strides: pair(args.stride),
    padding: args.padding,
    hasBias: args.bias
  })),
  MaxPool2d: ({ args }) => Effect.succeed(Pooling.maxPool2d({ size: pair(args.kernel_size) })),
  TruncAvgPool2d: quantized(Truncated.truncAvgPool2d, ["trunc"], (args) => ({ kernelSize: pair(args.kernel_size) })),
  Flatten: () => Effect.succeed(Model.flatten)
}

/** A weight in breve's layout; after a Flatten its inputs are pixels with their channels, in the reference channels with pixels. */
const ours = (model: ReadonlyArray<Written>, name: string, x: tf.Tensor): tf.Tensor => {
  if (!name.endsWith(".weight")) return x
  const at = Number(name.split(".")[0])
  const moved = Layout.ours(Layout.outputLast, x)
  if (model[at - 1]?.layer !== "Flatten") return moved
  const channels = model.slice(0, at).findLast(({ args }) => args?.out_channels !== undefined)?.args.out_channels
  const [inner = 0, outer = 0] = moved.shape
  return tf.reshape(tf.transpose(tf.reshape(moved, [channels, inner / channels, outer]), [1, 0, 2]), [inner, outer])
}

// ---- graphs -------------------------------------------------------------------------------------------------

const elements: Readonly<Record<OnnxModel.DataType, (view: DataView, i: number) => number>> = {
  float32: (view, i) => view.getFloat32(4 * i, true),
  uint8: (view, i) => view.getUint8(i),
  int8: (view, i) => view.getInt8(i),
  uint16: (view, i) => view.getUint16(2 * i, true),
  int16: (view, i) => view.getInt16(2 * i, true),
  int32: (view, i) => view.getInt32(4 * i, true),
  int64: (view, i) => Number(view.getBigInt64(8 * i, true)),
  uint4: (view, i) => (view.getUint8(i >> 1) >> (4 * (i & 1))) & 15,
  int4: (view, i) => (((view.getUint8(i >> 1) >> (4 * (i & 1))) & 15) << 28) >> 28
}

const dataOf = ({ dims, dataType, rawData }: OnnxModel.Tensor): ReadonlyArray<number> => {
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength)
  return Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => elements[dataType](view, i))
}

const attributeOf = (attribute: OnnxModel.Attribute): unknown => {
  switch (attribute.type) {
    case "int":
      return attribute.i
    case "float":
      return attribute.f
    case "string":
      return attribute.s
    case "ints":
      return attribute.ints
  }
}

/** The constants of two graphs that stand in one place. */
const constants = (wanted: any, got: OnnxModel.Tensor): string | undefined => {
  const type = wanted.onnx_dtype ?? wanted.dtype
  if (type !== got.dataType) return `${type} expected, got ${got.dataType}`
  const data = dataOf(got)
  if (data.length !== wanted.data.length) return `${wanted.data.length} elements expected, got ${data.length}`
  const near = (a: number, b: number): boolean =>
    type === "float32" ? Math.abs(a - b) <= 1e-7 + 1e-6 * Math.abs(a) : a === b
  const at = data.findIndex((x, i) => !near(wanted.data[i], x))
  return at < 0 ? undefined : `element ${at} is ${data[at]}, not ${wanted.data[at]}`
}

const attributeDifferences = (wanted: any, got: OnnxModel.Node, isWeight: boolean): ReadonlyArray<string> => {
  const mine = Object.fromEntries(got.attribute.map((one) => [one.name, attributeOf(one)]))
  const text = (x: unknown): string => JSON.stringify(typeof x === "string" ? x.toUpperCase() : x)
  const names = [...new Set([...Object.keys(wanted.attributes), ...Object.keys(mine)])]
  return names
    .filter((name) => text(wanted.attributes[name]) !== text(mine[name]))
    .map((name) =>
      name === "rounding_mode" && isWeight
        ? "rounding of the weight"
        : `${wanted.op} ${name}: expected ${text(wanted.attributes[name])}, got ${text(mine[name])}`
    )
}

/** Paddings that add nothing, and what their answer is called. */
const idlePads = (wanted: any): ReadonlyMap<string, string> =>
  new Map(
    wanted.nodes
      .filter(
        ({ op, inputs }: any) => op === "Pad" && wanted.initializers[inputs[1]]?.data.every((n: number) => n === 0)
      )
      .map(({ inputs, outputs }: any) => [outputs[0], inputs[0]])
  )

const graphDifferences = (wanted: any, model: OnnxModel.Model): ReadonlyArray<string> => {
  const { graph } = model
  const found: Array<string> = []
  const pads = idlePads(wanted)
  if (pads.size > 0) found.push("pad")
  const nodes = wanted.nodes.filter(({ outputs }: any) => !pads.has(outputs[0]))
  const ops = [nodes.map(({ op }: any) => op), graph.node.map(({ opType }) => opType)].map(String)
  if (ops[0] !== ops[1]) return [`nodes: expected ${ops[0]}, got ${ops[1]}`]
  const mine = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]))
  const names = new Map<string, string>([[wanted.inputs[0].name, graph.input[0]?.name ?? ""]])
  for (const [i, node] of graph.node.entries()) {
    const theirs = nodes[i]
    const at = `${theirs.op} ${i}`
    if (theirs.domain !== node.domain) found.push(`${at}: the domain ${node.domain}`)
    const inputs = theirs.inputs.map((name: string) => pads.get(name) ?? name)
    if (inputs.length !== node.input.length) found.push(`${at}: ${node.input.length} inputs`)
    found.push(...attributeDifferences(theirs, node, wanted.initializers[inputs[0]] !== undefined))
    for (const [k, name] of inputs.entries()) {
      const [constant, own] = [wanted.initializers[name], mine.get(node.input[k] ?? "")]
      if (constant === undefined && own === undefined) {
        if (names.get(name) !== node.input[k]) found.push(`${at}: input ${k} comes from elsewhere`)
        continue
      }
      const wrong = constant === undefined || own === undefined ? "not a constant in both" : constants(constant, own)
      if (wrong !== undefined) found.push(`${at}: input ${k}: ${wrong}`)
    }
    names.set(theirs.outputs[0], node.output[0] ?? "")
  }
  if (wanted.outputs.length > 1) found.push("outputs")
  if (names.get(wanted.outputs[0].name) !== graph.output[0]?.name) found.push("the output comes from elsewhere")
  const shapes = [
    [wanted.inputs[0].shape, graph.input[0]?.shape],
    [wanted.outputs[0].shape, graph.output[0]?.shape]
  ]
  for (const [theirs, own] of shapes)
    if (!theirs.every((size: number, i: number) => size === 0 || size === own?.[i])) found.push(`the shape [${own}]`)
  for (const [domain, version] of Object.entries(wanted.opsets)) {
    const own = model.opsetImport.find((opset) => (opset.domain || "ai.onnx") === domain)
    if (own?.version !== version) found.push(`the version ${own?.version} of ${domain}`)
  }
  return found
}

// ---- cases --------------------------------------------------------------------------------------------------

const outcome = (testCase: Case, found: ReadonlyArray<string>): Outcome => {
  if (found.length === 0) return passed
  const rule = Deviations.explaining(testCase, testCase.outputs, { differing: found })
  return rule === undefined ? failed(found.join("; ")) : deviation(rule.id)
}

/** Whether a file answers what the model does, to some numbers: the file is read back and computed in plain arrays. */
const computesTheModel = (model: Layer.Layer, written: OnnxModel.Model, shape: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const x = tf.tensor(Random.normal(Random.make(1), tf.util.sizeFromShape([...shape]), 0, 1), [...shape])
    const y = Layout.theirs(Layout.channelsLast, QuantTensor.dequantized(yield* Layer.forward(model, x))).dataSync()
    const theirs = Layout.theirs(Layout.channelsLast, x)
    const { open } = yield* OnnxRuntime
    const { run } = yield* open(OnnxProto.encode(written))
    const { data } = yield* run({ shape: theirs.shape, data: Float32Array.from(theirs.dataSync()) })
    const largest = Math.max(...y.map(Math.abs))
    return data.length === y.length && data.every((value, i) => Math.abs(value - (y[i] as number)) <= 1e-5 * largest)
  }).pipe(Effect.provide(OnnxEvaluator.layer))

const exported = (testCase: Case): Effect.Effect<Outcome, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { config, inputs, outputs } = testCase
      const written = config.model as ReadonlyArray<Written>
      const layers = yield* Effect.forEach(written, (one, i) =>
        Effect.map((kinds[one.layer] as (written: Written) => Made)(one), (layer) => [String(i), layer] as const)
      )
      const model = Model.sequential(Object.fromEntries(layers))
      const given = Object.entries<any>(inputs?.params ?? {}).map(
        ([name, tensor]) => [name, ours(written, name, tensorOf(tensor))] as const
      )
      if (given.length > 0) yield* State.load(model, Object.fromEntries(given), "float")
      const run = (tensor: any, mode: Layer.Mode) =>
        Layer.forward(model, Layout.ours(Layout.channelsLast, tensorOf(tensor)), mode)
      for (const tensor of inputs?.calib ?? []) QuantTensor.dispose(yield* run(tensor, Layer.training))
      const images = written.some(({ layer }) => /Conv|Pool/.test(layer))
      const x = inputs?.x
      const inputShape =
        x === undefined ? (images ? [1, 4, 4, 2] : [2, 4]) : Layout.ours(Layout.channelsLast, tensorOf(x)).shape
      const common = { inputShape, batch: "fixed" } as const
      const weights = config.arguments?.export_weight_q_node === true ? "floats" : "integers"
      const made = yield* Effect.result(
        config.format === "qcdq" ? Onnx.toQcdq(model, { ...common, weights }) : Onnx.toQonnx(model, common)
      )
      if (outputs.export?.error !== undefined) {
        if (Result.isFailure(made)) return made.failure._tag === "NotExportable" ? passed : failed(made.failure.message)
        const computes = yield* computesTheModel(model, made.success, inputShape)
        return computes ? outcome(testCase, ["it was exported"]) : failed("it was exported as something else")
      }
      if (Result.isFailure(made)) return failed(made.failure.message)
      const answer = QuantTensor.dequantized(yield* run(x, Layer.evaluation))
      const y = Layout.theirs(Layout.channelsLast, answer).dataSync()
      const largest = Math.max(...outputs.y.data.map(Math.abs))
      const off = outputs.y.data.findIndex(
        (v: number, i: number) => !(Math.abs(v - (y[i] as number)) <= 1e-5 * largest)
      )
      const values = off < 0 ? [] : [`y[${off}]: expected ${outputs.y.data[off]}, got ${y[off]}`]
      return outcome(testCase, [...graphDifferences(outputs.graph, made.success), ...values])
    })
  )

export const replay: Replay = (testCase, backend) => {
  const unknown = (testCase.config.model as ReadonlyArray<Written>).filter(({ layer }) => kinds[layer] === undefined)
  if (unknown.length > 0)
    return Promise.resolve(unsupported(`no layer ${unknown.map(({ layer }) => layer).join(", ")}`))
  return on(backend, () => Effect.runSync(exported(testCase)))
}
