import * as tf from "@tensorflow/tfjs-core"
import { Injector, Persistence, ScaledInt } from "breve"
import { Effect } from "effect"

/** What there is of a quantizer to be saved, by name; `State.extract` asks this of a whole model. */
export const example = Effect.map(Injector.resolve(ScaledInt.Uint8ActPerTensorFloat, "tensorQuant"), (quantizer) => {
  const { parameters, memory } = quantizer
  const names = (found: ReadonlyArray<readonly [string, tf.Tensor]>) => found.map(([name]) => name)
  return tf.tidy(() => ({
    some: names(Persistence.all(quantizer, { parameters, memory })),
    // the scale waits for statistics of its first inputs
    now: names(Persistence.saved(quantizer, { parameters, memory }))
  }))
})

export const shows = { some: ["scalingImpl.value"], now: [] }
