/**
 * How a backend of TensorFlow.js is started, and the service that says one is: shared by Backend.ts, which loads the packages
 * of the backends when they are asked for, and Wasm.ts, which imports its package statically.
 *
 * Room: backend (level 1). Imports: effect, tfjs, `tensor`. tfjs has one engine for the whole process: starting a backend
 * selects it for everybody, and the end of a layer's scope does not stop it, because tensors may outlive the scope.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Context, Effect, Layer, Option, Semaphore } from "effect"
import { BackendUnavailable } from "../tensor/RuntimeErrors.ts"
import * as Gradients from "./Gradients.ts"
import * as Kernels from "./Kernels.ts"
import * as Override from "./Override.ts"

/** The backends that breve starts. */
export type Name = "wasm" | "cpu"

/** A started backend of TensorFlow.js, with all gradients registered. */
export class Backend extends Context.Service<Backend, { readonly name: Name }>()("breve/backend/Backend") {}

const binaries = [
  "tfjs-backend-wasm.wasm",
  "tfjs-backend-wasm-simd.wasm",
  "tfjs-backend-wasm-threaded-simd.wasm"
] as const

/** The binaries of the WASM backend; one of them is loaded, by what the platform can do. */
export type Binary = (typeof binaries)[number]

/** The path or URL of every binary. */
export type Paths = Readonly<Record<Binary, string>>

export interface WasmOptions extends Kernels.Options {
  /**
   * Where the binaries are: their folder, or the full path of each; URLs in a browser. Node finds them by itself, a browser
   * needs them served. They are loaded once: a later start checks its paths, but keeps what runs.
   */
  readonly wasmPaths?: string | Paths
  /**
   * Whether tfjs may use threads, which it does where a page is cross-origin isolated. Their workers run the package's own source text,
   * which some minifiers break. Default: true.
   */
  readonly threads?: boolean
}

/** What is used of the package `@tensorflow/tfjs-backend-wasm`. */
export interface WasmPeer {
  readonly setWasmPaths: (paths: Paths) => void
}

const explain = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

// ---- the package of a backend -------------------------------------------------------------------------------

/** Answers that the package `peer` of a backend does not load. */
export const absent =
  (backend: Name, peer: string) =>
  (cause: unknown): Effect.Effect<never, BackendUnavailable> =>
    Effect.fail(new BackendUnavailable({ backend, reason: `npm install ${peer} (${explain(cause)})` }))

/**
 * Loads an optional package, as in `peer(() => import("x").then(Effect.succeed, absent("cpu", "x")))`. The import and the
 * handler of its failure stand together because bundlers look there to see that the package may be missing.
 */
export const peer = <A>(
  load: () => Promise<Effect.Effect<A, BackendUnavailable>>
): Effect.Effect<A, BackendUnavailable> => Effect.flatten(Effect.promise(load))

// ---- the binaries of the WASM backend -----------------------------------------------------------------------

const failed = (reason: string): BackendUnavailable => new BackendUnavailable({ backend: "wasm", reason })
const repair = 'Serve the .wasm files of @tensorflow/tfjs-backend-wasm and name their folder: { wasmPaths: "/folder/" }'

const inNode = (): boolean => tf.env().getBool("IS_NODE")

const inFolder = (folder: string): Paths => {
  const prefix = folder === "" || /[/\\]$/.test(folder) ? folder : `${folder}/`
  const at = (name: Binary): string => prefix + name
  return { [binaries[0]]: at(binaries[0]), [binaries[1]]: at(binaries[1]), [binaries[2]]: at(binaries[2]) }
}

/** The paths asked for, else in Node those of the installed package; none in a browser, and where nothing is installed. */
const locate = ({ wasmPaths }: WasmOptions): Effect.Effect<Option.Option<Paths>> => {
  if (wasmPaths !== undefined)
    return Effect.succeedSome(typeof wasmPaths === "string" ? inFolder(wasmPaths) : wasmPaths)
  if (!inNode()) return Effect.succeedNone
  return Effect.try(() => {
    // not an import: a bundler for browsers would follow that
    const require = process.getBuiltinModule("node:module").createRequire(import.meta.url)
    return inFolder(require.resolve("@tensorflow/tfjs-backend-wasm/package.json").replace(/package\.json$/, "dist"))
  }).pipe(Effect.option)
}

const read = async (path: string): Promise<ArrayBuffer> => {
  if (inNode()) {
    const file = path.startsWith("file://") ? new URL(path) : path
    return new Uint8Array(await process.getBuiltinModule("node:fs/promises").readFile(file)).buffer
  }
  const response = await fetch(path)
  return response.ok ? response.arrayBuffer() : Promise.reject(new Error(`HTTP status ${response.status}`))
}

/**
 * Fails unless tfjs will find a binary where it looks. tfjs itself takes a missing file badly: it prints to the console, and
 * then refuses other paths for as long as the process lives.
 */
const check = Effect.fn("Backend.check")(function* (paths: Paths) {
  const simd = yield* Effect.promise(() => tf.env().getAsync("WASM_HAS_SIMD_SUPPORT"))
  const threads = yield* Effect.promise(() => tf.env().getAsync("WASM_HAS_MULTITHREAD_SUPPORT"))
  const name = simd && threads ? binaries[2] : simd ? binaries[1] : binaries[0]
  const path = paths[name]
  if (path === undefined) return yield* failed(`wasmPaths has no entry for ${name}`)
  const bytes = yield* Effect.tryPromise({
    try: () => read(path),
    catch: (cause) => failed(`cannot read ${path}: ${explain(cause)}. ${repair}`)
  })
  const isWasm = bytes.byteLength > 4 && new DataView(bytes).getUint32(0) === 0x00_61_73_6d // "\0asm"
  if (!isWasm) return yield* failed(`${path} is not a WebAssembly file. ${repair}`)
})

/**
 * Takes back the handlers that the WASM module adds to the process, which rethrow: with them, an error that the application
 * handles itself would end the process.
 */
const withoutHandlers = <A, E>(start: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    if (!inNode()) return start
    const events = ["uncaughtException", "unhandledRejection"] as const
    const before = new Set(events.flatMap((event) => process.rawListeners(event)))
    const rethrows = /instanceof ExitStatus|^function\s*\(reason\)\s*\{\s*throw reason/
    return Effect.ensuring(
      start,
      Effect.sync(() => {
        for (const event of events) {
          for (const listener of process.rawListeners(event)) {
            if (!before.has(listener) && rethrows.test(`${listener}`)) process.off(event, listener as () => void)
          }
        }
      })
    )
  })

// ---- the start ----------------------------------------------------------------------------------------------

/** Why a worker of tfjs failed: it throws the event that it got, which the page alone hears of. */
const failureOf = ({ error }: ErrorEvent): string | undefined =>
  error instanceof ErrorEvent ? error.message : undefined

/** Starts a backend: whether it did, or why its workers failed, for which tfjs would wait for ever. */
const start = async (name: Name): Promise<boolean | string> => {
  if (inNode()) return tf.setBackend(name)
  const listening = new AbortController()
  const broken = new Promise<string>((resolve) => {
    const listener = (event: ErrorEvent): void => {
      const failure = failureOf(event)
      if (failure !== undefined) resolve(failure)
    }
    globalThis.addEventListener("error", listener, { signal: listening.signal })
  })
  return Promise.race([tf.setBackend(name), broken]).finally(() => listening.abort())
}

/** The reason why a backend did not start, and the repair. */
const unstarted = (started: false | string, hint: string): string =>
  typeof started === "string"
    ? `its threads fail (${started}). A minifier may have broken the text of their workers: load the page anew with { threads: false }, or leave the package as it is`
    : `TensorFlow.js could not start it; its warning on the console says why. ${hint}`

/** Selects a registered backend; where it does not start, the one before stays selected. */
const select = Effect.fn("Backend.select")(function* (name: Name, hint: string, options: Kernels.Options = {}) {
  const before = tf.getBackend()
  const started = yield* Effect.promise(() => start(name))
  if (started !== true) {
    if (before !== name && tf.findBackend(before) !== null) yield* Effect.promise(() => tf.setBackend(before))
    return yield* new BackendUnavailable({ backend: name, reason: unstarted(started, hint) })
  }
  yield* Effect.promise(() => tf.ready())
  Gradients.register()
  if (name === "wasm") yield* Effect.promise(() => Kernels.register(options))
  if (name === "wasm" && options.overrideKernels === true && tf.getKernel("BreveMatMul", name) !== undefined)
    Override.register(Kernels.running)
  return { name }
})

/** tfjs loses track when two backends start at the same time, or when one start is left half-way. */
const oneAtATime = Semaphore.makeUnsafe(1).withPermits(1)

/** The WASM backend, out of its package. */
export const wasm = (
  load: Effect.Effect<WasmPeer, BackendUnavailable>,
  options: WasmOptions = {}
): Layer.Layer<Backend, BackendUnavailable> =>
  Layer.effect(
    Backend,
    Effect.gen(function* () {
      const { setWasmPaths } = yield* load
      if (options.threads === false) tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false)
      const paths = yield* locate(options)
      if (Option.isSome(paths)) {
        yield* check(paths.value)
        yield* Effect.try({ try: () => setWasmPaths(paths.value), catch: (cause) => failed(explain(cause)) })
      }
      return yield* withoutHandlers(select("wasm", repair, options))
    }).pipe(Effect.uninterruptible, oneAtATime)
  )

/** The CPU backend, out of its package. */
export const cpu = (load: Effect.Effect<unknown, BackendUnavailable>): Layer.Layer<Backend, BackendUnavailable> =>
  Layer.effect(Backend, load.pipe(Effect.andThen(select("cpu", "")), Effect.uninterruptible, oneAtATime))
