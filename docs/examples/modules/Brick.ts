import * as tf from "@tensorflow/tfjs-core"
import { Brick, Gradient, Injector, ScaledInt } from "breve"
import { Effect, pipe } from "effect"

/** A rounding of your own: to the nearest integer, ties away from zero; the gradient passes straight through. */
const HalfAway = Injector.component("HalfAway", {}, () => {
  const rounded = Gradient.customGradient((x: tf.Tensor) => ({
    value: tf.mul(tf.sign(x), tf.floor(tf.add(tf.abs(x), 0.5))),
    gradient: (dy) => [dy]
  }))
  return Brick.make("HalfAway", {}, {}, { apply: (_: Brick.State, x: tf.Tensor) => [rounded(x), {}] as const })
})
const Mine = pipe(ScaledInt.Int8WeightPerTensorFloat, Injector.let({ floatToIntImpl: HalfAway }))

/** It stands where another rounding stood. */
export const example = Effect.map(Injector.resolve(Mine, "tensorQuant"), (quantizer) =>
  Brick.parts(quantizer).filter(([path]) => path.endsWith("floatToIntImpl"))
)

export const shows = [["intQuant.floatToIntImpl", "HalfAway"]]
