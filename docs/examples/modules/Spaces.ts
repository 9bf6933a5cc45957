import * as tf from "@tensorflow/tfjs-core"
import { Calls, LayerNorm, Linear, Model, Spaces } from "breve"
import { Effect } from "effect"

/** Values whose channels may be rotated together: between linear layers, through a normalization without a scale. */
export const example = Effect.gen(function* () {
  const model = Model.sequential({
    up: yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 4, weightQuant: null }),
    norm: yield* LayerNorm.rmsNorm({ channels: 4 }),
    down: yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 2, weightQuant: null })
  })
  return tf.tidy(() => {
    const x = tf.ones([1, 2])
    const found = Spaces.of(Calls.run(model, x), x)
    return "unknown" in found
      ? found.unknown
      : found.spaces.map(({ channels, sources, sinks }) => ({
          channels,
          sources: sources.map(({ name }) => name),
          sinks: sinks.map(({ name }) => name)
        }))
  })
})

export const shows = [{ channels: 4, sources: ["up"], sinks: ["down"] }]
