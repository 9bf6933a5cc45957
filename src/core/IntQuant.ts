/**
 * Uniform integer quantization.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `./Brick.ts` and the bricks it is made of.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as ClampOp from "../op/Clamp.ts"
import * as Range from "../op/Range.ts"
import * as Round from "../op/Round.ts"
import type { BitWidth } from "./BitWidth.ts"
import * as Brick from "./Brick.ts"
import * as Delay from "./Delay.ts"
import type { Scaling } from "./Scaling.ts"
import type { TensorQuantizer } from "./TensorQuantizer.ts"
import type { ZeroPoint } from "./ZeroPoint.ts"

/** Turns floats into integers. */
export type Rounding = Brick.Stateful<readonly [x: tf.Tensor], tf.Tensor>
/** Holds integers within their range. */
export type Clamp = Brick.Stateless<readonly [x: tf.Tensor, low: tf.Tensor, high: tf.Tensor], tf.Tensor>
/** The integer that the scaling's threshold is mapped to. */
export type IntScaling = Brick.Stateless<readonly [bitWidth: tf.Tensor], tf.Tensor>
/** Quantizes with a scale, a zero-point and a bit-width from outside. */
export type IntQuant = Brick.Stateful<
  readonly [x: tf.Tensor, scale: tf.Tensor, zeroPoint: tf.Tensor, bitWidth: tf.Tensor],
  tf.Tensor
>

const rounding = (label: string, f: (x: tf.Tensor) => tf.Tensor): Rounding =>
  Brick.make(label, {}, {}, { apply: (_: Brick.State, x: tf.Tensor) => [f(x), {}] as const })

/** To the nearest integer, ties to even; straight-through gradient. */
export const RoundSte = Injector.component("RoundSte", {}, () => rounding("RoundSte", Round.nearest))
/** Down; straight-through gradient. */
export const FloorSte = Injector.component("FloorSte", {}, () => rounding("FloorSte", Round.floor))
/** Up; straight-through gradient. */
export const CeilSte = Injector.component("CeilSte", {}, () => rounding("CeilSte", Round.ceil))

/** A clamp whose gradient stops outside of the range and goes to the bounds. */
export const TensorClamp = Injector.component(
  "TensorClamp",
  {},
  (): Clamp => Brick.make("TensorClamp", {}, {}, { apply: ClampOp.between })
)
/** A clamp with the gradient of the identity, for scales that follow the tensor's own statistics. */
export const TensorClampSte = Injector.component(
  "TensorClampSte",
  {},
  (): Clamp => Brick.make("TensorClampSte", {}, {}, { apply: ClampOp.betweenStraightThrough })
)

const integerRange = {
  signed: Injector.required<boolean>(),
  narrowRange: Injector.required<boolean>()
}

/** `-min` of a signed format (128 of 8 bits, 127 if narrow), `max` of an unsigned one. */
export const IntScaling = Injector.component(
  "IntScaling",
  integerRange,
  (range): IntScaling =>
    Brick.make(
      "IntScaling",
      {},
      {},
      {
        apply: (bitWidth: tf.Tensor) =>
          range.signed ? tf.neg(Range.minInt(bitWidth, range)) : Range.maxInt(bitWidth, range)
      }
    )
)

/**
 * Uniform integer quantization with scale, zero-point and bit-width given.
 *
 * - formula:  `q = clamp(round(x / scale + z), min, max)`, `y = (q - z) * scale`
 * - shapes:   `x [...d], scale and z broadcast to [...d] -> y [...d]`
 * - gradient: `dx = dy` where the rounded value lies in the range, else by the clamp; `dscale = sum(dy * ((q - z) - x/scale inside))`
 * - errors:   none
 * - source:   Jacob et al. 2018, arXiv:1712.05877
 */
export const IntQuant = Injector.component(
  "IntQuant",
  {
    floatToIntImpl: Injector.required<Rounding>(),
    tensorClampImpl: Injector.required<Clamp>(),
    ...integerRange,
    quantDelaySteps: Injector.optional(0)
  },
  ({ floatToIntImpl, tensorClampImpl, signed, narrowRange, quantDelaySteps }): IntQuant => {
    const delayWrapper = Delay.make(quantDelaySteps)
    const range = { signed, narrowRange }
    const children = { floatToIntImpl, tensorClampImpl, delayWrapper, inputViewImpl: Brick.shown("Identity") }
    return Brick.make(
      "IntQuant",
      children,
      {},
      {
        apply: (state: Brick.State, x: tf.Tensor, scale: tf.Tensor, zeroPoint: tf.Tensor, bitWidth: tf.Tensor) => {
          const shifted = tf.add(tf.div(x, scale), zeroPoint)
          const [rounded, afterRounding] = Brick.call(floatToIntImpl, state, "floatToIntImpl", shifted)
          const q = tensorClampImpl.apply(rounded, Range.minInt(bitWidth, range), Range.maxInt(bitWidth, range))
          const y = tf.mul(tf.sub(q, zeroPoint), scale)
          const [value, afterDelay] = Brick.call(delayWrapper, state, "delayWrapper", x, y)
          const after = { floatToIntImpl: afterRounding, delayWrapper: afterDelay }
          return [value, Brick.remembered(state.memory, after)] as const
        }
      }
    )
  }
)

/**
 * Integer quantization whose scale, zero-point and bit-width are computed by their own bricks.
 *
 * - formula:  `scale = scaling(x, intScaling(b))`, `z = zeroPoint(x, scale, b)`, then as `IntQuant`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: through every brick
 * - errors:   none
 * - source:   Brevitas, core/quant/int.py
 */
export const RescalingIntQuant = Injector.component(
  "RescalingIntQuant",
  {
    intQuant: Injector.required<IntQuant>(),
    scalingImpl: Injector.required<Scaling>(),
    intScalingImpl: Injector.required<IntScaling>(),
    zeroPointImpl: Injector.required<ZeroPoint>(),
    msbClampBitWidthImpl: Injector.required<BitWidth>()
  },
  (children): TensorQuantizer => {
    const { intQuant, scalingImpl, intScalingImpl, zeroPointImpl, msbClampBitWidthImpl } = children
    const shown = { intQuant, scalingImpl, intScalingImpl, zeroPointImpl, msbClampBitWidthImpl }
    return Brick.make(
      "RescalingIntQuant",
      shown,
      {},
      {
        apply: (state: Brick.State, x: tf.Tensor) => {
          const [bitWidth, afterBits] = Brick.call(msbClampBitWidthImpl, state, "msbClampBitWidthImpl")
          const [scale, afterScaling] = Brick.call(scalingImpl, state, "scalingImpl", x, intScalingImpl.apply(bitWidth))
          const [zeroPoint, afterZero] = Brick.call(zeroPointImpl, state, "zeroPointImpl", x, scale, bitWidth)
          const [value, afterInt] = Brick.call(intQuant, state, "intQuant", x, scale, zeroPoint, bitWidth)
          const after = {
            msbClampBitWidthImpl: afterBits,
            scalingImpl: afterScaling,
            zeroPointImpl: afterZero,
            intQuant: afterInt
          }
          return [{ value, scale, zeroPoint, bitWidth }, Brick.remembered(state.memory, after)] as const
        }
      }
    )
  }
)
