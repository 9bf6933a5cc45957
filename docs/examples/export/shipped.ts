import { IntegerNetwork } from "breve"
import { Effect } from "effect"
import * as Example from "./model.ts"

export const run = Effect.gen(function* () {
  const network = yield* IntegerNetwork.of(yield* Example.make, [1, 16])
  const bytes = IntegerNetwork.encode(network)
  const read = yield* Effect.fromResult(IntegerNetwork.decode(bytes, "network.safetensors"))
  const x = Float32Array.from({ length: 16 }, (_, i) => Math.cos(i))
  const broken = yield* Effect.flip(Effect.fromResult(IntegerNetwork.decode(bytes.subarray(0, 900), "cut.safetensors")))
  return `${(yield* IntegerNetwork.run(read, x)).data}\n${broken.message}`
})
