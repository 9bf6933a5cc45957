import * as tf from "@tensorflow/tfjs-core"
import { Backend, layer } from "breve/wasm"
import { Effect } from "effect"

/** The fast backend, imported statically: for bundlers. In a page, `layerWith({ wasmPaths })` says where the binaries are served. */
export const example = Effect.gen(function* () {
  yield* Backend
  return tf.getBackend()
}).pipe(Effect.provide(layer))

export const shows = "wasm"
