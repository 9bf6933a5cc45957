import * as tf from "@tensorflow/tfjs-core"
import { AbsorbBias, Linear, Model, State, Stored } from "breve"
import { Effect, Stream } from "effect"

/** What a channel before a rectifier never falls below goes into the bias after it: 5 becomes 1, and the values between lie in 0 .. 2. */
export const example = Effect.gen(function* () {
  const float = { inFeatures: 1, outFeatures: 1, weightQuant: null } as const
  const model = Model.sequential({
    fc1: yield* Linear.quantLinear(float),
    relu: Model.relu,
    fc2: yield* Linear.quantLinear(float)
  })
  const numbers = { "fc1.weight": 1, "fc1.bias": 5, "fc2.weight": 2, "fc2.bias": 0 }
  const state = Object.entries(numbers).map(([name, x]) => {
    const shape = name.endsWith("weight") ? [1, 1] : [1]
    return [name, Stored.fromFloats(Float32Array.of(x), shape)] as const
  })
  yield* State.load(model, Object.fromEntries(state))
  const batches = Stream.make(() => tf.tensor2d([[-1], [1]]))
  const absorbed = yield* AbsorbBias.absorb(batches, { input: [1, 1], deviations: "least" })(model)
  const { "fc1.bias": before, "fc2.bias": after } = yield* State.extract(absorbed)
  return [before, after].map((bias) => bias && Stored.floats(bias))
})

export const shows = [[1], [8]]
