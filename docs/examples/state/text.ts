import { Linear, State, StateJson } from "breve"
import { Effect } from "effect"

/** The state of a layer to be read by people. */
export const run = Effect.gen(function* () {
  const layer = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 2 })
  const weight = {
    dtype: "F32",
    shape: [2, 2],
    data: new Uint8Array(Float32Array.of(0.1, -0, 1e-7, NaN).buffer)
  } as const
  yield* State.load(layer, { weight }, "report")
  const { weight: saved } = yield* State.extract(layer)
  return StateJson.encode(saved === undefined ? {} : { weight: saved }, { note: "by hand" })
})
