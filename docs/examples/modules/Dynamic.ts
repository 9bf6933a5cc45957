import * as tf from "@tensorflow/tfjs-core"
import { Dynamic, Injector, TensorQuantizer } from "breve"
import { Effect, pipe } from "effect"

const GroupsOf4 = pipe(Dynamic.Int8DynamicActPerGroupFloat, Injector.let({ groupSize: 4 }))

/** Group-wise activations of 8 bits: each group of 4 has a scale of its own, computed anew for each input. */
export const example = Effect.map(Injector.resolve(GroupsOf4, "tensorQuant"), (quantizer) =>
  tf.tidy(() => {
    const x = tf.tensor2d([[0.1, -0.2, 0.3, 1.27, 10, -20, 30, 127]])
    return TensorQuantizer.quantize(quantizer, x).scale
  })
)

export const shows = [[0.0114844, 0.0114844, 0.0114844, 0.0114844, 1.14844, 1.14844, 1.14844, 1.14844]]
