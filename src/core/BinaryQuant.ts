/**
 * Binary quantizers: each value becomes plus or minus the scale.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `./Brick.ts` and the bricks they are made of.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Clamp from "../op/Clamp.ts"
import * as Sign from "../op/Sign.ts"
import { BitWidthConst } from "./BitWidth.ts"
import * as Brick from "./Brick.ts"
import * as Delay from "./Delay.ts"
import type { Scaling } from "./Scaling.ts"
import type { TensorQuantizer } from "./TensorQuantizer.ts"

const dependencies = {
  scalingImpl: Injector.required<Scaling>(),
  signed: Injector.optional(true),
  quantDelaySteps: Injector.optional(0)
}
type Given = { readonly scalingImpl: Scaling; readonly signed: boolean; readonly quantDelaySteps: number }

const binary = (label: string, given: Given, clamp: (x: tf.Tensor, scale: tf.Tensor) => tf.Tensor): TensorQuantizer => {
  if (!given.signed) throw new RangeError("binary quantization is signed: its values are -scale and +scale")
  const { scalingImpl } = given
  const bitWidth = BitWidthConst({ bitWidth: 1 })
  const zeroPoint = tf.scalar(0)
  const delayWrapper = Delay.make(given.quantDelaySteps)
  const children = {
    scalingImpl,
    bitWidth,
    zeroPoint: Brick.shown("StatelessBuffer"),
    delayWrapper,
    ...(label === "ClampedBinaryQuant" && { tensorClampImpl: Brick.shown("TensorClamp") })
  }
  return Brick.make(
    label,
    children,
    { constants: [zeroPoint, ...bitWidth.own] },
    {
      apply: (state: Brick.State, x: tf.Tensor) => {
        const [scale, afterScaling] = Brick.call(scalingImpl, state, "scalingImpl", x)
        const [bits] = Brick.call(bitWidth, state, "bitWidth")
        const y = tf.mul(Sign.binary(clamp(x, scale)), scale)
        const [value, afterDelay] = Brick.call(delayWrapper, state, "delayWrapper", x, y)
        const after = { scalingImpl: afterScaling, delayWrapper: afterDelay }
        return [{ value, scale, zeroPoint, bitWidth: bits }, Brick.remembered(state.memory, after)] as const
      }
    }
  )
}

/**
 * Scaled binary quantization.
 *
 * - formula:  `y = sign(x) * scale`, `sign(0) = 1`
 * - shapes:   `x [...d], scale broadcast to [...d] -> y [...d]`
 * - gradient: `dx = dy * scale` (straight-through), `dscale = sum(dy * sign(x))`
 * - errors:   `ConstructionFailed` if `signed` is false
 * - source:   Courbariaux et al. 2016, arXiv:1602.02830
 */
export const BinaryQuant = Brick.component("BinaryQuant", dependencies, (given) =>
  binary("BinaryQuant", given, (x) => x)
)

/**
 * Scaled binary quantization whose gradient stops outside of the scale.
 *
 * - formula:  `y = sign(clamp(x, -scale, scale)) * scale`
 * - shapes:   `x [...d], scale broadcast to [...d] -> y [...d]`
 * - gradient: `dx = dy * scale` where `|x| <= scale`, else to the scale
 * - errors:   `ConstructionFailed` if `signed` is false
 * - source:   Hubara et al. 2016, arXiv:1609.07061
 */
export const ClampedBinaryQuant = Brick.component("ClampedBinaryQuant", dependencies, (given) =>
  binary("ClampedBinaryQuant", given, (x, scale) => Clamp.between(x, tf.neg(scale), scale))
)
