/**
 * Quantizers as a user writes them, against the installed package: one that is fine, and two with a mistake each. laws.mjs tries them.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Brick, Clamp, Injector, ScaledInt } from "breve"

/** Four bits instead of eight. */
export const Int4Act = Injector.let(ScaledInt.Int8ActPerTensorFloat, { bitWidth: 4 })

/** Leaves its width to whoever uses it. */
export const Open = Injector.let(ScaledInt.Int8ActPerTensorFloat, {
  bitWidth: Injector.value(["myBits"], (bits) => bits)
})

/** Forgets the lower end of the range. */
const UpperClamp = Injector.component("UpperClamp", {}, () =>
  Brick.make("UpperClamp", {}, {}, { apply: (x, _, high) => tf.minimum(x, high) })
)
export const HalfClamped = Injector.let(ScaledInt.Int8ActPerTensorFloat, { bitWidth: 4, tensorClampImpl: UpperClamp })

/** Rounds, but its gradient is that of the rounding: there is none. */
const Flat = Injector.component("RoundSte", {}, () =>
  Brick.make("RoundSte", {}, {}, { apply: (_, x) => [tf.round(x), {}] })
)
export const WithoutGradient = Injector.let(ScaledInt.Int8ActPerTensorFloat, {
  floatToIntImpl: Flat,
  tensorClampImpl: Clamp.TensorClamp
})
