import * as tf from "@tensorflow/tfjs-core"
import { Calls, MergeBatchNorm, Regions } from "breve"
import { Effect } from "effect"
import { input, network } from "../float.ts"

/** Layers whose channels share a factor: what `fc1` makes larger, `fc2` must make smaller. */
export const example = Effect.gen(function* () {
  const merged = yield* MergeBatchNorm.merge({ input })(yield* network)
  return tf.tidy(() => {
    const x = tf.ones([...input])
    const found = Regions.of(Calls.run(merged, x), [x])
    return "unknown" in found
      ? found.unknown
      : found.regions.map(({ sources, sinks, channels }) => ({
          sources: sources.map(({ name }) => name),
          sinks: sinks.map(({ name }) => name),
          channels: channels.length
        }))
  })
})

export const shows = [{ sources: ["fc1"], sinks: ["fc2"], channels: 8 }]
