import * as tf from "@tensorflow/tfjs-core"
import { Injector, ScaledInt, Statistic, TensorQuantizer } from "breve"
import { Effect, pipe } from "effect"

/** A statistic of your own: three times the root of the mean square, so that one value of a bell curve in 370 is left out. */
const ThreeSigma = Injector.component("ThreeSigma", {}, () =>
  Statistic.make("ThreeSigma", (x) => tf.mul(3, tf.sqrt(tf.mean(tf.square(x)))))
)
const Int4 = pipe(ScaledInt.Int8WeightPerTensorFloat, Injector.let({ bitWidth: 4, scalingStatsImpl: ThreeSigma }))

/** Its scale: `3 / 7` of the root of the mean square. */
export const example = Effect.map(Injector.resolve(Int4, "tensorQuant"), (quantizer) =>
  tf.tidy(() => TensorQuantizer.quantize(quantizer, tf.tensor1d([3, -4, 0, 0])).scale)
)

export const shows = 1.07143
