/**
 * What a file says of the state that it was exported from: a SHA-256 of everything that the model has learned, by name.
 *
 * Room: exchange (level 5). Imports: effect, `nn`, `./Safetensors.ts`, `./Sha256.ts`. Laws: test/exchange/Onnx.test.ts.
 */
import { Effect } from "effect"
import type * as Layer from "../nn/Layer.ts"
import * as State from "../nn/State.ts"
import * as Safetensors from "./Safetensors.ts"
import * as Sha256 from "./Sha256.ts"

/** The text of an ONNX file that holds it. */
export const key = "breve.state"

/**
 * The digest of the state that a model has now.
 *
 * - formula:  SHA-256 of `Safetensors.encode(State.extract(model))`
 * - shapes:   none
 * - gradient: none
 * - errors:   none
 * - source:   FIPS 180-4
 *
 * @category export
 * @since 0.5.0
 */
export const of = (model: Layer.Stateful): Effect.Effect<string> =>
  Effect.map(State.extract(model), (state) => Sha256.hex(Safetensors.encode(state)))
