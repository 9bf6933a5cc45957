/**
 * The backends of TensorFlow.js as layers. Each loads its optional package when it is built, selects the backend, waits until
 * it is ready and registers the gradients. `breve/wasm` has the same layer with a static import, for bundlers.
 *
 * Room: backend (level 1). Imports: effect, `tensor`, and the packages of the backends dynamically.
 */
import { Effect, type Layer } from "effect"
import type { BackendUnavailable } from "../tensor/RuntimeErrors.ts"
import * as Start from "./Start.ts"

export { Backend, type Binary, type Name, type Paths, type WasmOptions } from "./Start.ts"

/** WebAssembly with SIMD, and threads where the page is cross-origin isolated: the fast one, in Node and in browsers. */
export const wasm = (options: Start.WasmOptions = {}): Layer.Layer<Start.Backend, BackendUnavailable> =>
  Start.wasm(
    Start.peer(() =>
      import("@tensorflow/tfjs-backend-wasm").then(
        Effect.succeed,
        Start.absent("wasm", "@tensorflow/tfjs-backend-wasm")
      )
    ),
    options
  )

/** Plain JavaScript: slow, but it knows every kernel. */
export const cpu: Layer.Layer<Start.Backend, BackendUnavailable> = Start.cpu(
  Start.peer(() =>
    import("@tensorflow/tfjs-backend-cpu").then(Effect.succeed, Start.absent("cpu", "@tensorflow/tfjs-backend-cpu"))
  )
)

/** The backend to take: WASM, with its binaries where the package is installed. */
export const layer: Layer.Layer<Start.Backend, BackendUnavailable> = wasm()
