import * as tf from "@tensorflow/tfjs-core"
import { Brick, Gradient, Injector } from "breve"
import { pipe } from "effect"
import { Int4WeightSpread } from "./quantizer.ts"

/** To the nearest integer, ties away from zero; the gradient passes straight through. */
const halfAway = Gradient.customGradient((x: tf.Tensor) => ({
  value: tf.mul(tf.sign(x), tf.floor(tf.add(tf.abs(x), 0.5))),
  gradient: (dy) => [dy]
}))

/** A brick has a label, parts, state of its own (here neither) and a pure function that answers a result and what to remember. */
export const HalfAwaySte = Injector.component("HalfAwaySte", {}, () =>
  Brick.make("HalfAwaySte", {}, {}, { apply: (_: Brick.State, x: tf.Tensor) => [halfAway(x), {}] as const })
)

export const Int4WeightHalfAway = pipe(
  Int4WeightSpread,
  Injector.let({ floatToIntImpl: HalfAwaySte }),
  Injector.named("Int4WeightHalfAway")
)
