import * as tf from "@tensorflow/tfjs-core"
import { Injector, Random, ShiftedScaledInt, TensorQuantizer } from "breve"
import { Effect, pipe } from "effect"

const ThreeBits = pipe(ShiftedScaledInt.ShiftedUint8WeightPerTensorFloatHQO, Injector.let({ bitWidth: 3 }))

/** Three bits for a bell curve with an outlier: the zero-point that has most errors small. The smallest value alone would make it 2. */
export const example = Effect.map(Injector.resolve(ThreeBits, "tensorQuant"), (quantizer) =>
  tf.tidy(() => {
    const x = tf.tensor2d([...Random.normal(Random.make(1), 63, 0, 1), 6], [8, 8])
    return TensorQuantizer.quantize(quantizer, x).zeroPoint
  })
)

export const shows = 2.1175
