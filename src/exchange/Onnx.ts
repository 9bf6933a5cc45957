/**
 * Trained models as ONNX files, in two dialects: QCDQ, of standard operators with integers stored as such, and QONNX, of arbitrary
 * widths.
 *
 * Images have their channels first in the file, as ONNX has it: the input `[n, h, w, c]` of a model is `[n, c, h, w]` there.
 *
 * Room: exchange (level 5). Imports: effect, `nn`, `tensor`, `./OnnxFloat.ts`, `./OnnxLowering.ts`, `./OnnxModel.ts`, `./OnnxProto.ts`,
 * `./Qcdq.ts`, `./Qonnx.ts`, `./StateDigest.ts`,
 * `./Trace.ts`. Laws: test/exchange/Onnx.test.ts.
 */
import { Effect } from "effect"
import * as Layer from "../nn/Layer.ts"
import { NotExportable } from "../tensor/ExportErrors.ts"
import * as OnnxFloat from "./OnnxFloat.ts"
import * as OnnxLowering from "./OnnxLowering.ts"
import type * as OnnxModel from "./OnnxModel.ts"
import * as OnnxProto from "./OnnxProto.ts"
import type { Style } from "./OnnxStyle.ts"
import * as Qcdq from "./Qcdq.ts"
import * as Qonnx from "./Qonnx.ts"
import * as StateDigest from "./StateDigest.ts"
import * as Trace from "./Trace.ts"

export { decode } from "./OnnxProto.ts"

/** Versions of the operators that are written, with the version of the file format that came with them. */
const irVersions = { 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10 } as const

/** A version of the ONNX operators that files are written for. */
export type Opset = keyof typeof irVersions

export interface Options {
  /** the shape of an input in breve's layout, the batch first */
  readonly inputShape: ReadonlyArray<number>
  /** the input are whole numbers below this one, as a table of vectors takes them; default: the input are floats */
  readonly indices?: number
  /** from 21 on constants of up to four bits take half a byte, and 16 bits are allowed; default: 13, for QONNX 14 */
  readonly opset?: Opset
  /** the first axis: the size of `inputShape`, or open; default: "open" */
  readonly batch?: "fixed" | "open"
}

export interface QcdqOptions extends Options {
  /** default: "integers" */
  readonly weights?: "integers" | "floats"
}

/** What export can refuse; nothing is written then. */
export type ExportError = NotExportable | Layer.InputError

const written = (
  model: Layer.Layer,
  { inputShape, indices, batch = "open" }: Options,
  style: Style,
  opset: Opset,
  others: OnnxModel.Model["opsetImport"],
  mode?: Layer.Mode
): Effect.Effect<OnnxModel.Model, ExportError> =>
  Effect.gen(function* () {
    const graph = yield* Trace.trace(model, inputShape, { target: style.target, indices, ...(mode && { mode }) })
    const digest = yield* StateDigest.of(model)
    return yield* Effect.suspend(() => {
      try {
        return Effect.succeed({
          irVersion: irVersions[opset],
          producerName: "breve",
          opsetImport: [{ domain: "", version: opset }, ...others],
          graph: OnnxLowering.graphOf(graph, style, opset, batch === "open" ? "N" : (inputShape[0] as number)),
          metadataProps: [{ key: StateDigest.key, value: digest }]
        })
      } catch (cause) {
        return cause instanceof NotExportable ? Effect.fail(cause) : Effect.die(cause)
      }
    })
  })

/**
 * The model of a QCDQ file, as data.
 *
 * - formula:  as the model in evaluation
 * - shapes:   as `exportQcdq`
 * - gradient: none
 * - errors:   as `exportQcdq`
 * - source:   as `exportQcdq`
 *
 * @category export
 * @since 0.3.0
 */
export const toQcdq = Effect.fn("Onnx.toQcdq")(
  (model: Layer.Layer, options: QcdqOptions): Effect.Effect<OnnxModel.Model, ExportError> => {
    const { opset = 13, weights = "integers" } = options
    return written(model, options, Qcdq.style({ opset, weights }), opset, [])
  }
)

/**
 * The model of a QONNX file, as data.
 *
 * - formula:  as the model in evaluation
 * - shapes:   as `exportQonnx`
 * - gradient: none
 * - errors:   as `exportQonnx`
 * - source:   as `exportQonnx`
 *
 * @category export
 * @since 0.3.0
 */
export const toQonnx = Effect.fn("Onnx.toQonnx")(
  (model: Layer.Layer, options: Options): Effect.Effect<OnnxModel.Model, ExportError> =>
    written(model, options, Qonnx.style, options.opset ?? 14, [{ domain: Qonnx.domain, version: Qonnx.version }])
)

/**
 * The bytes of an ONNX file in QCDQ: QuantizeLinear, Clip where the range is narrower than its type, DequantizeLinear. Weights and
 * biases are stored as integers. The same model gives the same bytes, and is not changed.
 *
 * - formula:  as the model in evaluation, but for exact ties of roundings with a zero-point
 * - shapes:   `[n, h, w, c]` of breve is `[n, c, h, w]` in the file
 * - gradient: none
 * - errors:   NotExportable naming the layer: formulas that are not known as data, minifloats, other roundings than to nearest,
 *   widths that the opset has no type for; what is wrong with the input shape, as `Layer.forward`
 * - source:   ONNX operators QuantizeLinear, DequantizeLinear; Brevitas, export/onnx/standard/qcdq
 *
 * @category export
 * @since 0.3.0
 */
export const exportQcdq = Effect.fn("Onnx.exportQcdq")(
  (model: Layer.Layer, options: QcdqOptions): Effect.Effect<Uint8Array, ExportError> =>
    Effect.map(toQcdq(model, options), OnnxProto.encode)
)

/**
 * The bytes of an ONNX file in QONNX: Quant, BipolarQuant, Trunc and FloatQuant nodes, with weights as floats.
 *
 * - formula:  as the model in evaluation
 * - shapes:   `[n, h, w, c]` of breve is `[n, c, h, w]` in the file
 * - gradient: none
 * - errors:   NotExportable naming the layer: formulas that are not known as data, roundings without a name there; what is wrong with
 *   the input shape, as `Layer.forward`
 * - source:   Pappalardo et al. 2022, arXiv:2206.07527; Brevitas, export/onnx/qonnx
 *
 * @category export
 * @since 0.3.0
 */
export const exportQonnx = Effect.fn("Onnx.exportQonnx")(
  (model: Layer.Layer, options: Options): Effect.Effect<Uint8Array, ExportError> =>
    Effect.map(toQonnx(model, options), OnnxProto.encode)
)

/**
 * The bytes of an ONNX file of the same network without quantization: every quantizer hands on what it gets. To compare sizes and
 * times with, and for whoever quantizes elsewhere.
 *
 * - formula:  as the model with `Layer.without` its quantizers, in evaluation
 * - shapes:   `[n, h, w, c]` of breve is `[n, c, h, w]` in the file
 * - gradient: none
 * - errors:   NotExportable naming the layer: formulas that are not known as data; what is wrong with the input shape, as `Layer.forward`
 * - source:   ONNX operators
 *
 * @category export
 * @since 0.4.0
 */
export const exportFloat = Effect.fn("Onnx.exportFloat")(
  (model: Layer.Layer, options: Options): Effect.Effect<Uint8Array, ExportError> =>
    Effect.map(
      written(model, options, OnnxFloat.style, options.opset ?? 13, [], Layer.without(Layer.evaluation)),
      OnnxProto.encode
    )
)
