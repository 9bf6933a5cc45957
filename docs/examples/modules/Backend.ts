import * as tf from "@tensorflow/tfjs-core"
import { Backend } from "breve"
import { Effect } from "effect"

/** Starts TensorFlow.js where it is provided: `Effect.provide(program, Backend.layer)`. `Backend.cpu` knows every kernel, slowly. */
export const example = Effect.gen(function* () {
  yield* Backend.Backend
  return tf.getBackend()
})

export const shows = "wasm"
