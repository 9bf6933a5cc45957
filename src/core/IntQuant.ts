/**
 * Uniform integer quantization.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `./Brick.ts` and the bricks it is made of.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Range from "../op/Range.ts"
import type { BitWidth } from "./BitWidth.ts"
import * as Brick from "./Brick.ts"
import type { Clamp } from "./Clamp.ts"
import * as Delay from "./Delay.ts"
import type { IntScaling } from "./IntScaling.ts"
import type { Rounding } from "./Rounding.ts"
import type { Scaling } from "./Scaling.ts"
import { merged, type Quantized, searching, type TensorQuantizer } from "./TensorQuantizer.ts"
import * as View from "./View.ts"
import type { ZeroPoint } from "./ZeroPoint.ts"

/** Quantizes with a scale, a zero-point and a bit-width from outside; groups stay apart. */
export interface IntQuant
  extends Brick.Stateful<
    readonly [x: tf.Tensor, scale: tf.Tensor, zeroPoint: tf.Tensor, bitWidth: tf.Tensor],
    tf.Tensor
  > {
  readonly inputViewImpl: View.View
}

const integerRange = {
  signed: Injector.required<boolean>(),
  narrowRange: Injector.required<boolean>()
}

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
    quantDelaySteps: Injector.optional(0),
    inputViewImpl: Injector.optional<View.View>(View.identity)
  },
  ({ floatToIntImpl, tensorClampImpl, signed, narrowRange, quantDelaySteps, inputViewImpl }): IntQuant => {
    const delayWrapper = Delay.make(quantDelaySteps)
    const range = { signed, narrowRange }
    const children = { floatToIntImpl, tensorClampImpl, delayWrapper, inputViewImpl }
    return Brick.make(
      "IntQuant",
      children,
      {},
      {
        inputViewImpl,
        apply: (state: Brick.State, input: tf.Tensor, scale: tf.Tensor, zeroPoint: tf.Tensor, bitWidth: tf.Tensor) => {
          const x = inputViewImpl.apply(input)
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
    bitWidthImpl: Injector.required<BitWidth>()
  },
  ({ intQuant, scalingImpl, intScalingImpl, zeroPointImpl, bitWidthImpl: msbClampBitWidthImpl }): TensorQuantizer => {
    const children = { intQuant, scalingImpl, intScalingImpl, zeroPointImpl, msbClampBitWidthImpl }
    const scaleOf = (state: Brick.State, x: tf.Tensor, bitWidth: tf.Tensor) =>
      Brick.call(scalingImpl, search.forScale(state), "scalingImpl", x, intScalingImpl.apply(bitWidth))
    const bitsOf = (state: Brick.State) => Brick.call(msbClampBitWidthImpl, state, "msbClampBitWidthImpl")
    const run = (state: Brick.State, x: tf.Tensor, fixedScale?: tf.Tensor): Brick.Answer<Quantized> => {
      const [bitWidth, afterBits] = bitsOf(state)
      const [scale, afterScaling] = fixedScale === undefined ? scaleOf(state, x, bitWidth) : [fixedScale, {}]
      const within = search.forZeroPoint(state, scale)
      const [zeroPoint, afterZero] = Brick.call(zeroPointImpl, within, "zeroPointImpl", x, scale, bitWidth)
      const [value, afterInt] = Brick.call(intQuant, state, "intQuant", x, scale, zeroPoint, bitWidth)
      const after = {
        msbClampBitWidthImpl: afterBits,
        scalingImpl: afterScaling,
        zeroPointImpl: afterZero,
        intQuant: afterInt
      }
      return [{ value, scale, zeroPoint, bitWidth }, Brick.remembered(state.memory, after)]
    }
    const search = searching(run, (state, x) => scaleOf(state, x, bitsOf(state)[0])[0])
    return Brick.make(
      "RescalingIntQuant",
      children,
      {},
      {
        prepare: (state: Brick.State) => {
          const scaled = Brick.prepareChild(scalingImpl, search.forScale(state), "scalingImpl")
          const zeroed = Brick.prepareChild(zeroPointImpl, search.forZeroPoint(scaled), "zeroPointImpl")
          const counted = Brick.prepareChild(intQuant, zeroed, "intQuant")
          return Brick.prepareChild(msbClampBitWidthImpl, counted, "msbClampBitWidthImpl")
        },
        apply: (state: Brick.State, x: tf.Tensor) => {
          const [quantized, memory] = run(state, x)
          return [merged(quantized, intQuant.inputViewImpl, x.shape), memory] as const
        }
      }
    )
  }
)
