/**
 * Whether a file computes what was trained: it is run, and compared with the network of integers and with the model as training
 * knows it.
 *
 * Floats are sums in float32, and where a sum divided by a step lies at a half, the last bit decides. Such a difference is no defect
 * of the file; it is told from one by computing the integers again with those roundings turned the other way, which has to give the
 * differing answer exactly.
 *
 * Room: exchange (level 5). Imports: tfjs, effect, `core`, `nn`, `tensor`, its own room. Laws: test/exchange/Certificate.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Layer from "../nn/Layer.ts"
import type { AccumulatorOverflow, NotExportable } from "../tensor/ExportErrors.ts"
import { ForeignModel, type MalformedFile } from "../tensor/FileErrors.ts"
import * as Host from "../tensor/Host.ts"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import type { RuntimeFailed } from "../tensor/RuntimeErrors.ts"
import * as Agreement from "./Agreement.ts"
import * as Graph from "./Graph.ts"
import * as IntegerNetwork from "./IntegerNetwork.ts"
import * as Layout from "./OnnxLayout.ts"
import type * as OnnxModel from "./OnnxModel.ts"
import * as OnnxProto from "./OnnxProto.ts"
import { type Floats, OnnxRuntime } from "./OnnxRuntime.ts"
import * as Qonnx from "./Qonnx.ts"
import * as Sha256 from "./Sha256.ts"
import * as Trace from "./Trace.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** A comparison of the answers of two ways to compute a model. */
export type Comparison = Agreement.Agreement & {
  readonly between: readonly ["the file in the runtime" | "the model in training", "the integers"]
}

/** Plain data; the same file, model, inputs and runtime give the same one. */
export interface Certificate {
  readonly format: "breve certificate 1"
  /** whether the rule holds */
  readonly certified: boolean
  readonly rule: string
  readonly model: {
    readonly file: string
    readonly bytes: number
    readonly sha256: string
    readonly dialect: "QCDQ" | "QONNX"
    readonly opset: number
  }
  readonly runtime: { readonly name: string; readonly version: string }
  readonly inputs: { readonly count: number; readonly shape: ReadonlyArray<number>; readonly sha256: string }
  /** the grid of the outputs: its steps, its ends, and the SHA-256 of the integers that were computed */
  readonly outputs: {
    readonly shape: ReadonlyArray<number>
    readonly scale: ReadonlyArray<number>
    readonly zeroPoint: number
    readonly low: number
    readonly high: number
    readonly sha256: string
  }
  readonly ties: Agreement.Options
  readonly comparisons: ReadonlyArray<Comparison>
}

export interface Options extends IntegerNetwork.Options {
  /** the name of the file, for messages and the certificate; default: "model.onnx" */
  readonly file?: string
  /** how near a tie a rounding has to come to explain a difference, in steps; default: 0.001 */
  readonly tieDistance?: number
  /** how many choices of roundings are tried for an input; default: 500 */
  readonly attempts?: number
  /** how many inputs are computed at a time; default: 50 */
  readonly batchSize?: number
}

export type CertifyError =
  | NotExportable
  | AccumulatorOverflow
  | Layer.InputError
  | MalformedFile
  | ForeignModel
  | RuntimeFailed

const ruleOf = (distance: number): string =>
  `Certified if every answer of the file in the runtime, and of the model as training computes it, put to the nearest step of the ` +
  `output's grid, is the integer of the integer network, or becomes it when roundings that lie within ${distance} steps of a tie ` +
  `go to their other neighbour.`

// ---- the file -----------------------------------------------------------------------------------------------

const dialectOf = ({ opsetImport }: OnnxModel.Model): "QCDQ" | "QONNX" =>
  opsetImport.some(({ domain }) => domain === Qonnx.domain) ? "QONNX" : "QCDQ"

/** In which dialect a file is written: QONNX has nodes of its own, which `OnnxEvaluator.layer` computes. */
export const dialect = (bytes: Uint8Array, file = "model.onnx"): Effect.Effect<"QCDQ" | "QONNX", MalformedFile> =>
  Effect.map(OnnxProto.decode(bytes, file), dialectOf)

const shapeText = (shape: ReadonlyArray<number | string>): string => `[${shape.join(", ")}]`

/** Whether a value of a file has the sizes that a model's value has there; a size with a name fits any. */
const fits = (told: OnnxModel.ValueInfo | undefined, shape: ReadonlyArray<number>): boolean =>
  told !== undefined &&
  told.shape.length === shape.length &&
  told.shape.every((size, i) => i === 0 || typeof size === "string" || size === shape[i])

/** Checks that a file takes and gives what a model does, and says how many inputs it takes at a time, if that is fixed. */
const checked = (file: string, { graph }: OnnxModel.Model, traced: Graph.Graph) =>
  Effect.gen(function* () {
    const ends = [
      ["input", traced.input, graph.input],
      ["output", traced.output, graph.output]
    ] as const
    for (const [what, name, told] of ends) {
      const [one, ...others] = told
      const shape = Layout.shapeIn(
        { name, first: Layout.isOutsideFirst(traced, name) },
        traced.shapes[name] as ReadonlyArray<number>
      )
      if (others.length > 0 || !fits(one, shape)) {
        const its = one === undefined ? "none" : others.length > 0 ? "several" : shapeText(one.shape)
        const reason = `its ${what} is ${its}, that of the model ${shapeText(["N", ...shape.slice(1)])}`
        return yield* new ForeignModel({ file, reason })
      }
    }
    const size = graph.input[0]?.shape[0]
    return typeof size === "number" && size > 0 ? size : undefined
  })

// ---- computing ----------------------------------------------------------------------------------------------

const product = (sizes: ReadonlyArray<number>): number => sizes.reduce((a, b) => a * b, 1)

/** Values of breve's layout as the file has them, and back. */
const moved = ({ shape, data }: Floats, isFirst: boolean, order: (rank: number) => ReadonlyArray<number>): Floats =>
  isFirst ? Graph.permuted({ shape, data }, order(shape.length)) : { shape, data }

/** The floats that a model answers in evaluation. */
const trained = (model: Layer.Layer, { shape, data }: Floats): Effect.Effect<Floats, Layer.InputError> =>
  Effect.acquireUseRelease(
    Effect.sync(() => tf.tensor(data, [...shape])),
    (x) =>
      Effect.map(Layer.forward(model, x), (y) => {
        const plain = QuantTensor.dequantized(y)
        const floats = { shape: [...plain.shape], data: Host.floats(plain).slice() }
        QuantTensor.dispose(y)
        return floats
      }),
    (x) => Effect.sync(() => x.dispose())
  )

/** Some of the inputs, filled up with zeros to `size` of them. */
const part = ({ shape, data }: Floats, from: number, size: number): Floats => {
  const one = product(shape.slice(1))
  const filled = new Float32Array(size * one)
  filled.set(data.subarray(from * one, (from + size) * one))
  return { shape: [size, ...shape.slice(1)], data: filled }
}

const hashOf = ({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): string =>
  Sha256.hex(new Uint8Array(buffer, byteOffset, byteLength))

/**
 * Runs the ONNX file of a model in the runtime and compares its answers with those of the integer network and of the model.
 *
 * - formula:  see `rule` of the certificate
 * - shapes:   `inputs [n, ...d]` in breve's layout, row by row
 * - gradient: none
 * - errors:   MalformedFile for what is no ONNX file; ForeignModel for the file of another model; NotExportable and
 *   AccumulatorOverflow as `IntegerNetwork.of`; RuntimeFailed; what is wrong with the inputs, as `Layer.forward`
 * - source:   none
 *
 * @category export
 * @since 0.4.0
 */
export const certify = Effect.fn("Certificate.certify")(function* (
  bytes: Uint8Array,
  model: Layer.Layer,
  inputs: Floats,
  options: Options = {}
): Effect.fn.Return<Certificate, CertifyError, OnnxRuntime> {
  const { file = "model.onnx", tieDistance = 1e-3, attempts = 500, batchSize = 50 } = options
  const [count = 0, ...one] = inputs.shape
  if (count < 1 || product(inputs.shape) !== inputs.data.length)
    return yield* new ShapeMismatch({
      what: "the inputs to certify with",
      expected: "[n, ...], n at least 1",
      actual: [inputs.data.length]
    })
  const network = yield* IntegerNetwork.of(model, [1, ...one], options)
  const graph = yield* Trace.trace(model, [1, ...one])
  const read = yield* OnnxProto.decode(bytes, file)
  const size = (yield* checked(file, read, graph)) ?? Math.min(batchSize, count)
  const runtime = yield* OnnxRuntime
  const [first, last] = [graph.input, graph.output].map((name) => Layout.isOutsideFirst(graph, name))
  const ties = { distance: tieDistance, attempts }
  const [inRuntime, inTraining] = [Agreement.begin(network, ties), Agreement.begin(network, ties)]
  const integers: Array<Int32Array> = []
  yield* Effect.scoped(
    Effect.gen(function* () {
      const session = yield* runtime.open(bytes)
      for (let from = 0; from < count; from += size) {
        const x = part(inputs, from, size)
        const answer = yield* IntegerNetwork.run(network, x.data)
        const taken = Math.min(size, count - from)
        integers.push(answer.data.subarray(0, taken * (answer.data.length / size)))
        const theirs = yield* session.run(moved(x, first === true, Layout.toFirst))
        const back = moved(theirs, last === true, Layout.toLast)
        inRuntime.add(x, answer, back.data, from, taken)
        inTraining.add(x, answer, (yield* trained(model, x)).data, from, taken)
        yield* Effect.yieldNow
      }
    })
  )
  const comparisons = [
    { between: ["the file in the runtime", "the integers"], ...inRuntime.done() },
    { between: ["the model in training", "the integers"], ...inTraining.done() }
  ] as const
  const { scale, zeroPoint, low, high, shape } = network.output
  return {
    format: "breve certificate 1",
    certified: comparisons.every(({ unexplained }) => unexplained.length === 0),
    rule: ruleOf(tieDistance),
    model: {
      file,
      bytes: bytes.length,
      sha256: Sha256.hex(bytes),
      dialect: dialectOf(read),
      opset: read.opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version ?? 0
    },
    runtime: { name: runtime.name, version: runtime.version },
    inputs: { count, shape: one, sha256: hashOf(inputs.data) },
    outputs: {
      shape: shape.slice(1),
      scale: [...scale],
      zeroPoint,
      low,
      high,
      sha256: hashOf(Int32Array.from(integers.flatMap((some) => [...some])))
    },
    ties,
    comparisons
  }
})

/** The certificate as the text of a file, which ends with a newline. */
export const json = (certificate: Certificate): string => `${JSON.stringify(certificate, null, 2)}\n`
