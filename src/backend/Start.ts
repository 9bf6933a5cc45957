/**
 * How a backend of TensorFlow.js is started, and the service that says one is: shared by Backend.ts, which loads the packages
 * of the backends when they are asked for, and Wasm.ts, which imports its package statically.
 *
 * Room: backend (level 1). Imports: effect, tfjs, `tensor`. tfjs holds one engine for the whole process: starting a backend
 * selects it for everybody, and the end of a layer's scope does not stop it (tensors may outlive the scope).
 */
import * as tf from "@tensorflow/tfjs-core"
import { Context, Effect, Layer, Semaphore } from "effect"
import { BackendUnavailable } from "../tensor/Errors.ts"
import * as Gradients from "./Gradients.ts"

/** The backends that breve starts. */
export type Name = "wasm" | "cpu"

/** A started backend of TensorFlow.js, with all gradients registered. */
export class Backend extends Context.Service<Backend, { readonly name: Name }>()("breve/backend/Backend") {}

/** The binaries of the WASM backend; one of them is loaded, by what the platform can do. */
export type Binary = "tfjs-backend-wasm.wasm" | "tfjs-backend-wasm-simd.wasm" | "tfjs-backend-wasm-threaded-simd.wasm"

export interface WasmOptions {
  /**
   * Where the binaries are: a folder (a URL in browsers), or the full path of each. Node finds them by itself; a browser needs
   * them served. The first start loads one: later starts check their paths, but keep what runs.
   */
  readonly wasmPaths?: string | Readonly<Record<Binary, string>>
}

/** What is used of the package `@tensorflow/tfjs-backend-wasm`. */
export interface WasmPeer {
  readonly setWasmPaths: (paths: Readonly<Record<Binary, string>>) => void
}

const explain = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

// ---- the package of a backend ---------------------------------------------------------------------------------

/** What to answer when `backend`'s package does not load. */
export const absent =
  (backend: Name, peer: string) =>
  (cause: unknown): Effect.Effect<never, BackendUnavailable> =>
    Effect.fail(
      new BackendUnavailable({ backend, reason: `${peer} does not load (${explain(cause)}). npm install ${peer}` })
    )

/**
 * Loads an optional package: `peer(() => import("x").then(Effect.succeed, absent("cpu", "x")))`. The import stands at the call,
 * with both handlers, because bundlers read it there: one with a handler for its failure may be missing.
 */
export const peer = <A>(
  load: () => Promise<Effect.Effect<A, BackendUnavailable>>
): Effect.Effect<A, BackendUnavailable> => Effect.flatten(Effect.promise(load))

// ---- the binaries of the WASM backend -------------------------------------------------------------------------

const wrong = (reason: string): BackendUnavailable => new BackendUnavailable({ backend: "wasm", reason })

/** The builtin modules, which have no import here: bundlers for browsers would follow it. */
const inNode = (): boolean => tf.env().getBool("IS_NODE")

/** The folder of the installed package; `undefined` where there are no packages: in browsers, in some bundles. */
const installed: Effect.Effect<string | undefined> = Effect.try({
  try: () =>
    inNode()
      ? process
          .getBuiltinModule("node:module")
          .createRequire(import.meta.url)
          .resolve("@tensorflow/tfjs-backend-wasm/package.json")
          .replace(/package\.json$/, "dist/")
      : undefined,
  catch: wrong("not installed").constructor as never
}).pipe(Effect.orElseSucceed(() => undefined))
