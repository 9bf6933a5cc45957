import * as tf from "@tensorflow/tfjs-core"
import { Injector, TensorQuantizer } from "breve"
import { Effect } from "effect"
import { Int4WeightSpread } from "./quantizer.ts"

export const run = (x: tf.Tensor) =>
  Effect.map(Injector.resolve(Int4WeightSpread, "tensorQuant"), (quantizer) =>
    tf.tidy(() => {
      const { value, scale } = TensorQuantizer.quantize(quantizer, x)
      return { value: [...value.dataSync()], scale: scale.dataSync()[0] }
    })
  )
