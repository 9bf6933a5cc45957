/**
 * `breve/wasm`: the WASM backend with a static import of its package, for bundlers, which then see that it is needed.
 *
 * Room: backend (level 1). Imports: effect, `tensor`, `@tensorflow/tfjs-backend-wasm`.
 */
import * as wasm from "@tensorflow/tfjs-backend-wasm"
import { Effect, type Layer } from "effect"
import type { BackendUnavailable } from "../tensor/RuntimeErrors.ts"
import * as Start from "./Start.ts"

export { Backend, type Binary, type Paths, type WasmOptions } from "./Start.ts"

/** The backend with options: in a browser, `layerWith({ wasmPaths: "/folder/" })` says where the binaries are served. */
export const layerWith = (options: Start.WasmOptions): Layer.Layer<Start.Backend, BackendUnavailable> =>
  Start.wasm(Effect.succeed(wasm), options)

/** The backend with its binaries where the package is installed (Node), or beside the page. */
export const layer: Layer.Layer<Start.Backend, BackendUnavailable> = layerWith({})
