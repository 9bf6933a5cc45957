/**
 * Binary quantizers: each value becomes plus or minus the scale.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `tensor`, `./Brick.ts` and the bricks they are made of.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Sign from "../op/Sign.ts"
import * as SignQuant from "../op/SignQuant.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Brick from "./Brick.ts"
import { type Clamp, TensorClamp } from "./Clamp.ts"
import * as ScaledSigns from "./ScaledSigns.ts"

/**
 * Scaled binary quantization.
 *
 * - formula:  `y = sign(x) * scale`, `sign(0) = 1`
 * - shapes:   `x [...d], scale broadcast to [...d] -> y [...d]`
 * - gradient: `dx = dy * scale` (straight-through), `dscale = sum(dy * sign(x))`
 * - errors:   `ConstructionFailed` if `signed` is false; NaN stays NaN
 * - source:   Courbariaux et al. 2016, arXiv:1602.02830
 */
export const BinaryQuant = Brick.component(
  "BinaryQuant",
  { ...ScaledSigns.dependencies, signed: Injector.optional(true) },
  (given) => {
    const reason = "is false; binary quantization is signed: its values are -scale and +scale"
    if (!given.signed) throw new InvalidOptions({ what: "BinaryQuant", option: "signed", reason })
    return ScaledSigns.make("BinaryQuant", 1, given, (x, scale) => [SignQuant.binary(x, scale), {}])
  }
)

/**
 * Scaled binary quantization whose gradient stops outside of the scale.
 *
 * - formula:  `y = sign(clamp(x, -scale, scale)) * scale`; a clamp that writes leaves `clamp(x, -scale, scale)` in the place of x
 * - shapes:   `x [...d], scale broadcast to [...d] -> y [...d]`
 * - gradient: `dx = dy * scale` where `|x| <= scale`, else to the scale; by the clamp, if another one is chosen
 * - errors:   none; NaN stays NaN
 * - source:   Hubara et al. 2016, arXiv:1609.07061
 */
export const ClampedBinaryQuant = Brick.component(
  "ClampedBinaryQuant",
  { ...ScaledSigns.dependencies, tensorClampImpl: Injector.optional<Clamp | undefined>(undefined) },
  ({ tensorClampImpl = TensorClamp({}), ...given }) => {
    const levels = (x: tf.Tensor, scale: tf.Tensor): ScaledSigns.Levels => {
      const { passes, writes } = tensorClampImpl
      const clamped = (): tf.Tensor => tensorClampImpl.apply(x, tf.neg(scale), scale)
      if (passes !== undefined) return [SignQuant.clampedBinary(x, scale, passes), writes ? { input: clamped() } : {}]
      const input = clamped()
      return [SignQuant.keepingNaN(x, tf.mul(Sign.binary(input), scale)), writes ? { input } : {}]
    }
    return ScaledSigns.make("ClampedBinaryQuant", 1, given, levels, { tensorClampImpl })
  }
)
