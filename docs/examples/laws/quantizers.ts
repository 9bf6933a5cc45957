import * as tf from "@tensorflow/tfjs-core"
import { Brick, type Clamp, Injector, ScaledInt } from "breve"

/** Four bits instead of eight. */
export const Int4Act = Injector.let(ScaledInt.Int8ActPerTensorFloat, { bitWidth: 4 })

/** Forgets the lower end of the range. */
const UpperClamp = Injector.component(
  "UpperClamp",
  {},
  (): Clamp.Clamp =>
    Brick.make("UpperClamp", {}, {}, { apply: (x: tf.Tensor, _: tf.Tensor, high: tf.Tensor) => tf.minimum(x, high) })
)

/** Broken on purpose. */
export const HalfClamped = Injector.let(ScaledInt.Int8ActPerTensorFloat, { bitWidth: 4, tensorClampImpl: UpperClamp })
