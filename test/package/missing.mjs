/**
 * The installed package without the optional `@tensorflow/tfjs-backend-wasm`: it loads, and says what to install. pack.sh runs it.
 */
import assert from "node:assert/strict"
import { Backend } from "breve"
import { Effect } from "effect"

const error = await Effect.runPromise(Effect.flip(Effect.provide(Backend.Backend, Backend.layer)))
assert.equal(error._tag, "BackendUnavailable")
assert.match(error.message, /npm install @tensorflow\/tfjs-backend-wasm/)
console.log("missing peer: OK")
