/**
 * What runs ONNX files: a service, so that the runtime is chosen by whoever runs a program. onnxruntime-web, an optional package, is
 * loaded when its layer is built; `of` takes one that a page has imported itself, or another one that works alike.
 *
 * Room: exchange (level 5). Imports: effect, `tensor`, and the package dynamically. Laws: test/exchange/OnnxRuntime.test.ts.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import { RuntimeFailed, RuntimeUnavailable } from "../tensor/RuntimeErrors.ts"

// ---- the service --------------------------------------------------------------------------------------------

/** Floats of a shape, in the layout of the file; a file that takes indices is given whole numbers. */
export interface Floats {
  readonly shape: ReadonlyArray<number>
  readonly data: Float32Array
}

/** A model that is ready to run: one value in, one value out. */
export interface Session {
  readonly run: (x: Floats) => Effect.Effect<Floats, RuntimeFailed>
}

/** What runs ONNX files. */
export interface Runtime {
  readonly name: string
  readonly version: string
  /** the model of a file, until the Scope ends */
  readonly open: (bytes: Uint8Array) => Effect.Effect<Session, RuntimeFailed, Scope.Scope>
}

/** The runtime for ONNX files that a program is given: `Effect.provide(OnnxRuntime.layer)`. */
export class OnnxRuntime extends Context.Service<OnnxRuntime, Runtime>()("breve/exchange/OnnxRuntime") {}

// ---- onnxruntime-web ----------------------------------------------------------------------------------------

interface PeerTensor {
  readonly dims: ReadonlyArray<number>
  readonly data: unknown
  readonly dispose: () => void
}

interface PeerSession {
  readonly inputNames: ReadonlyArray<string>
  readonly inputMetadata: ReadonlyArray<object>
  readonly outputNames: ReadonlyArray<string>
  // biome-ignore lint/suspicious/noExplicitAny: the tensor type of the package, whichever version it is
  readonly run: (feeds: any) => Promise<Readonly<Record<string, unknown>>>
  readonly release: () => Promise<void>
}

/** What is used of the package `onnxruntime-web` (the entry `onnxruntime-web/wasm` is the smallest). */
export interface Peer {
  readonly env: {
    readonly versions: { readonly common: string; readonly web?: string }
    readonly wasm: object
  }
  readonly InferenceSession: {
    readonly create: (
      bytes: Uint8Array,
      options: { readonly graphOptimizationLevel: "disabled" | "all"; readonly logSeverityLevel: 3 }
    ) => Promise<PeerSession>
  }
  readonly Tensor: {
    new (type: "float32", data: Float32Array, dims: ReadonlyArray<number>): PeerTensor
    new (type: "int64", data: BigInt64Array, dims: ReadonlyArray<number>): PeerTensor
  }
}

export interface Options {
  /** how many threads; one computes the same everywhere. Default: 1 */
  readonly threads?: number
  /** the folder (with a slash at its end) or the URLs of its binaries, where the package does not find them itself */
  readonly wasmPaths?: string | { readonly mjs?: string; readonly wasm?: string }
  /** whether it may fuse and reorder operators; default: "all" */
  readonly optimize?: "disabled" | "all"
}

const name = "onnxruntime-web"

const explain = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const failed =
  (action: "load" | "run") =>
  (cause: unknown): RuntimeFailed =>
    new RuntimeFailed({ runtime: name, action, reason: explain(cause) })

const session = ({ Tensor }: Peer, opened: PeerSession): Session => ({
  run: ({ shape, data }) =>
    Effect.tryPromise({
      try: async () => {
        const [input = "", output = ""] = [opened.inputNames[0], opened.outputNames[0]]
        const isIndices = Object.entries(opened.inputMetadata[0] ?? {}).some(
          ([key, type]) => key === "type" && type === "int64"
        )
        const x = isIndices
          ? new Tensor(
              "int64",
              BigInt64Array.from(data, (q) => BigInt(q)),
              shape
            )
          : new Tensor("float32", data, shape)
        const answers = await opened.run({ [input]: x })
        const y = answers[output] as PeerTensor
        if (!(y.data instanceof Float32Array)) throw new Error(`its output "${output}" is no float32`)
        const floats = { shape: [...y.dims], data: y.data.slice() }
        for (const tensor of [x, ...(Object.values(answers) as ReadonlyArray<PeerTensor>)]) tensor.dispose()
        return floats
      },
      catch: failed("run")
    })
})

/** The runtime of a package that is loaded already. Its settings are those of the whole process or page. */
export const of = (peer: Peer, { threads = 1, wasmPaths, optimize = "all" }: Options = {}): Runtime => ({
  name,
  version: peer.env.versions.web ?? peer.env.versions.common,
  open: (bytes) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.tryPromise({
          try: () => {
            Object.assign(peer.env.wasm, { numThreads: threads }, wasmPaths === undefined ? {} : { wasmPaths })
            return peer.InferenceSession.create(bytes, { graphOptimizationLevel: optimize, logSeverityLevel: 3 })
          },
          catch: failed("load")
        }),
        (opened) => Effect.ignore(Effect.tryPromise(() => opened.release()))
      ),
      (opened) => session(peer, opened)
    )
})

const absent = (cause: unknown): Effect.Effect<never, RuntimeUnavailable> =>
  Effect.fail(new RuntimeUnavailable({ runtime: name, reason: `npm install ${name} (${explain(cause)})` }))

/** The runtime of a package that is loaded when the layer is built. */
export const loaded = (
  load: () => Promise<Peer>,
  options: Options = {}
): Layer.Layer<OnnxRuntime, RuntimeUnavailable> =>
  Layer.effect(
    OnnxRuntime,
    Effect.flatten(Effect.promise(() => load().then((peer) => Effect.succeed(of(peer, options)), absent)))
  )

/** onnxruntime-web on WebAssembly, with options. */
export const layerWith = (options: Options): Layer.Layer<OnnxRuntime, RuntimeUnavailable> =>
  loaded(() => import("onnxruntime-web/wasm"), options)

/** onnxruntime-web on WebAssembly, one thread, in Node and in browsers. */
export const layer: Layer.Layer<OnnxRuntime, RuntimeUnavailable> = layerWith({})
