/**
 * Uses the installed package as an application does: plain Node, no loader, no bundler. pack.sh copies it beside node_modules.
 */
import assert from "node:assert/strict"
import * as tf from "@tensorflow/tfjs-core"
import { Backend } from "breve"
import * as Wasm from "breve/wasm"
import { Effect } from "effect"

const program = Effect.gen(function* () {
  const { name } = yield* Wasm.Backend
  assert.equal(name, "wasm")
  assert.equal(tf.getBackend(), "wasm")
  assert.equal(yield* Wasm.Backend, yield* Backend.Backend) // both entries speak of the same service

  // tfjs alone registers no gradient in Node: the package has to
  const squares = (x) => tf.sum(tf.square(x))
  const [slope] = tf.grads(squares)([tf.tensor1d([1, -2, 3])])
  assert.deepEqual([...slope.dataSync()], [2, -4, 6])

  // ---- next: resolve a quantizer, quantize a tensor; run a quantized convolution and take its gradient
})

await Effect.runPromise(Effect.provide(program, Wasm.layer))
await Effect.runPromise(Effect.provide(program, Backend.layer))
console.log("smoke: OK")
