import * as tf from "@tensorflow/tfjs-core"
import { Injector, Parts, Rules, TensorQuantizer } from "breve"
import { Effect, pipe } from "effect"

/** A declaration of your own: the rules find the parts for options, so that other options can be merged in later. */
const Mine = pipe(
  Rules.Weight,
  Injector.merge(Parts.NarrowIntQuant),
  Injector.merge(Parts.MaxStatsScaling),
  Injector.merge(Parts.PerTensorFloatScaling8bit)
)

export const example = Effect.map(Injector.resolve(Mine, "tensorQuant"), (quantizer) =>
  tf.tidy(() => TensorQuantizer.quantize(quantizer, tf.tensor1d([1.27, -0.404])).value)
)

export const shows = [1.27, -0.4]
