/**
 * Whether a file computes what was trained: it is run, and compared with the network of integers and with the model as training
 * knows it. A network that has no integers is compared with the file as plain arrays compute it.
 *
 * Floats are sums in float32, and where a sum divided by a step lies at a half, the last bit decides. Such a difference is no defect
 * of the file; it is told from one by computing the integers again with those roundings turned the other way, which has to give the
 * differing answer exactly.
 *
 * Room: exchange (level 5). Imports: effect, `nn`, `tensor`, its own room. Laws: test/exchange/Certificate.test.ts.
 */
import { Effect } from "effect"
import type * as Layer from "../nn/Layer.ts"
import { type AccumulatorOverflow, NotExportable } from "../tensor/ExportErrors.ts"
import type { ForeignModel, MalformedFile, OtherState } from "../tensor/FileErrors.ts"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import type { RuntimeFailed } from "../tensor/RuntimeErrors.ts"
import type * as Agreement from "./Agreement.ts"
import * as Run from "./CertificateRun.ts"
import * as FloatComparison from "./FloatComparison.ts"
import * as IntegerComparison from "./IntegerComparison.ts"
import * as IntegerNetwork from "./IntegerNetwork.ts"
import type * as OnnxModel from "./OnnxModel.ts"
import * as OnnxProto from "./OnnxProto.ts"
import { type Floats, OnnxRuntime } from "./OnnxRuntime.ts"
import * as Qonnx from "./Qonnx.ts"
import * as Sha256 from "./Sha256.ts"
import * as Trace from "./Trace.ts"

export type { Comparison } from "./Agreement.ts"

// ---- model --------------------------------------------------------------------------------------------------

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
  readonly outputs: IntegerComparison.Outputs | FloatComparison.Outputs
  readonly ties: Agreement.Options
  readonly comparisons: ReadonlyArray<Agreement.Comparison>
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
  /** how far floats may be apart, as a part of the largest answer to an input, where there are no integers; default: 1e-5 */
  readonly tolerance?: number
  /** what the state of the model is called, for messages; default: "the state of the model" */
  readonly state?: string
}

/** What can be wrong when a file is certified; a difference of answers is none, but in the certificate. */
export type CertifyError =
  | NotExportable
  | AccumulatorOverflow
  | Layer.InputError
  | MalformedFile
  | ForeignModel
  | OtherState
  | RuntimeFailed

// ---- the file -----------------------------------------------------------------------------------------------

const dialectOf = ({ opsetImport }: OnnxModel.Model): "QCDQ" | "QONNX" =>
  opsetImport.some(({ domain }) => domain === Qonnx.domain) ? "QONNX" : "QCDQ"

/**
 * In which dialect a file is written: QONNX has nodes of its own, which `OnnxEvaluator.layer` computes.
 *
 * - errors: MalformedFile for what is no ONNX file
 */
export const dialect = (bytes: Uint8Array, file = "model.onnx"): Effect.Effect<"QCDQ" | "QONNX", MalformedFile> =>
  Effect.map(OnnxProto.decode(bytes, file), dialectOf)

// ---- certifying ---------------------------------------------------------------------------------------------

/**
 * Runs the ONNX file of a model in the runtime and compares its answers with those of the integer network and of the model; where it has
 * no integers, both with the file in plain arrays. `outputs` says which it was, and why.
 *
 * - formula:  see `rule` of the certificate
 * - shapes:   `inputs [n, ...d]` in breve's layout, row by row
 * - gradient: none
 * - errors:   MalformedFile for what is no ONNX file; ForeignModel for the file of another model, OtherState for one
 *   that was exported from another state; NotExportable for layers that have no form; AccumulatorOverflow; RuntimeFailed; what is wrong with the inputs, as `Layer.forward`
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
  const { file = "model.onnx", tieDistance = 1e-3, attempts = 500, batchSize = 50, tolerance = 1e-5 } = options
  const { state = "the state of the model", indices } = options
  const [count = 0, ...one] = inputs.shape
  if (count < 1 || Run.product(inputs.shape) !== inputs.data.length)
    return yield* new ShapeMismatch({
      what: "the inputs to certify with",
      expected: "[n, ...], n at least 1",
      actual: [inputs.data.length]
    })
  const graph = yield* Trace.trace(model, [1, ...one], { target: "a file to certify", indices })
  const read = yield* OnnxProto.decode(bytes, file)
  const size = (yield* Run.batchOf(file, read, graph)) ?? Math.min(batchSize, count)
  yield* Run.sameState(file, read, model, state)
  const runtime = yield* OnnxRuntime
  const ties = { distance: tieDistance, attempts }
  const subject = { bytes, read, model, graph, inputs, size }
  const network = yield* Effect.result(IntegerNetwork.of(model, [1, ...one], options))
  if (network._tag === "Failure" && !(network.failure instanceof NotExportable)) return yield* network.failure
  const { rule, outputs, comparisons } =
    network._tag === "Success"
      ? yield* IntegerComparison.compare(subject, runtime, network.success, ties)
      : yield* FloatComparison.compare(subject, runtime, network.failure.message, { ...ties, tolerance })
  return {
    format: "breve certificate 1",
    certified: comparisons.every(({ unexplained }) => unexplained.length === 0),
    rule,
    model: {
      file,
      bytes: bytes.length,
      sha256: Sha256.hex(bytes),
      dialect: dialectOf(read),
      opset: read.opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version ?? 0
    },
    runtime: { name: runtime.name, version: runtime.version },
    inputs: { count, shape: one, sha256: Run.hashOf(inputs.data) },
    outputs,
    ties,
    comparisons
  }
})

/** The certificate as the text of a file, which ends with a newline. */
export const json = (certificate: Certificate): string => `${JSON.stringify(certificate, null, 2)}\n`
