import * as tf from "@tensorflow/tfjs-core"
import { Decoupled, Linear, Weighted } from "breve"
import { Effect } from "effect"

/** Four bits, rounded with the scale of the statistics, brought back with a learned one. */
export const example = Effect.gen(function* () {
  const layer = yield* Linear.quantLinear({
    inFeatures: 4,
    outFeatures: 2,
    weightQuant: Decoupled.Int4WeightPerTensorFloatDecoupled,
    seed: 1
  })
  const { value, scale, bitWidth, ...rest } = yield* Weighted.quantWeight(layer)
  tf.dispose([value, rest.zeroPoint])
  return { scale, bitWidth }
})

export const shows = { scale: 0.0499184, bitWidth: 4 }
