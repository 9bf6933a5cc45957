/**
 * Requantization of integers to fewer bits: the format of the input comes from outside, the answer has a format of its own.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `./Brick.ts` and the bricks it is made of.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Range from "../op/Range.ts"
import * as Round from "../op/Round.ts"
import { type BitWidth, positive } from "./BitWidth.ts"
import * as Brick from "./Brick.ts"
import { type Clamp, TensorClamp } from "./Clamp.ts"
import * as Delay from "./Delay.ts"
import type { Rounding } from "./Rounding.ts"
import { type External, given, type TensorQuantizer } from "./TensorQuantizer.ts"
import { TruncMsbScaling, type TruncScaling } from "./TruncScaling.ts"

/**
 * Truncation: integers divided by a scale, rounded, and held in the range of the new width.
 *
 * - formula:  `r = truncScaling`, `q = clamp(round(rne(x / scale + z) / r), min, max)`, `y = (q - z / r) * scale * r`
 * - shapes:   `x [...d], scale and z broadcast to [...d] -> y [...d]`
 * - gradient: as `IntQuant`, into scale, zero-point and width of the input too
 * - errors:   none; `MissingInput` at the borders without the format of the input; NaN passes
 * - source:   Brevitas, core/quant/int.py (TruncIntQuant)
 *
 * @since 0.2.0
 */
export const TruncIntQuant = Injector.component(
  "TruncIntQuant",
  {
    floatToIntImpl: Injector.required<Rounding>(),
    bitWidthImpl: Injector.required<BitWidth>(),
    truncScalingImpl: Injector.optional<TruncScaling | undefined>(undefined),
    narrowRange: Injector.optional(false),
    tensorClampImpl: Injector.optional<Clamp | undefined>(undefined),
    quantDelaySteps: Injector.optional(0)
  },
  ({ floatToIntImpl, bitWidthImpl, narrowRange, quantDelaySteps, ...parts }): TensorQuantizer => {
    const label = "TruncIntQuant"
    const msbClampBitWidthImpl = positive(bitWidthImpl)
    const truncScalingImpl = parts.truncScalingImpl ?? TruncMsbScaling({})
    const tensorClampImpl = parts.tensorClampImpl ?? TensorClamp({})
    const delayWrapper = Delay.make(quantDelaySteps)
    const children = { msbClampBitWidthImpl, truncScalingImpl, floatToIntImpl, tensorClampImpl, delayWrapper }
    return Brick.make(
      label,
      children,
      {},
      {
        needs: ["scale", "zeroPoint", "bitWidth", "signed"] as const,
        apply: (state: Brick.State, x: tf.Tensor, external?: External) => {
          const [inScale, inZero] = [given(label, external, "scale"), given(label, external, "zeroPoint")]
          const [inBits, signed] = [given(label, external, "bitWidth"), given(label, external, "signed")]
          // rounded once, so that the floats are the integers that they stand for
          const integers = Round.nearest(tf.add(tf.div(x, inScale), inZero))
          const [bitWidth, afterBits] = Brick.call(msbClampBitWidthImpl, state, "msbClampBitWidthImpl")
          const [by, afterTrunc] = Brick.call(
            truncScalingImpl,
            state,
            "truncScalingImpl",
            integers,
            inBits,
            bitWidth,
            signed
          )
          const shifted = tf.div(integers, by)
          const [rounded, afterRounding] = Brick.call(floatToIntImpl, state, "floatToIntImpl", shifted)
          const range = { signed, narrowRange }
          const q = tensorClampImpl.apply(rounded, Range.minInt(bitWidth, range), Range.maxInt(bitWidth, range))
          const [scale, zeroPoint] = [tf.mul(inScale, by), tf.div(inZero, by)]
          const y = tf.mul(tf.sub(q, zeroPoint), scale)
          const [value, afterDelay] = Brick.call(delayWrapper, state, "delayWrapper", x, y)
          const after = {
            msbClampBitWidthImpl: afterBits,
            truncScalingImpl: afterTrunc,
            floatToIntImpl: afterRounding,
            delayWrapper: afterDelay
          }
          return [{ value, scale, zeroPoint, bitWidth }, Brick.remembered(state.memory, after)] as const
        }
      }
    )
  }
)
