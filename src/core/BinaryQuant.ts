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
import { BitWidthConst } from "./BitWidth.ts"
import * as Brick from "./Brick.ts"
import { type Clamp, TensorClamp } from "./Clamp.ts"
import * as Delay from "./Delay.ts"
import type { Scaling } from "./Scaling.ts"
import { merged, type Quantized, type TensorQuantizer } from "./TensorQuantizer.ts"
import * as View from "./View.ts"

/** The signs times the scale, and what the input becomes itself. */
type Signed = readonly [y: tf.Tensor, written: Pick<Quantized, "input">]

const dependencies = {
  scalingImpl: Injector.required<Scaling>(),
  quantDelaySteps: Injector.optional(0),
  /** forms groups, if there are any */
  inputViewImpl: Injector.optional<View.View>(View.identity)
}

const binary = (
  label: string,
  given: Injector.AllOf<typeof dependencies>,
  own: Readonly<Record<string, Brick.Brick>>,
  signed: (x: tf.Tensor, scale: tf.Tensor) => Signed
): TensorQuantizer => {
  const { scalingImpl, inputViewImpl } = given
  const bitWidth = BitWidthConst({ bitWidth: 1 })
  const zeroPoint = tf.scalar(0)
  const delayWrapper = Delay.make(given.quantDelaySteps)
  const children = {
    scalingImpl,
    bitWidth,
    zeroPoint: Brick.shown("StatelessBuffer"),
    delayWrapper,
    ...own,
    ...View.shownIn(inputViewImpl)
  }
  return Brick.make(
    label,
    children,
    { constants: [zeroPoint, ...bitWidth.own] },
    {
      apply: (state: Brick.State, input: tf.Tensor) => {
        const [scale, afterScaling] = Brick.call(scalingImpl, state, "scalingImpl", input)
        const x = inputViewImpl.apply(input)
        const [bits] = Brick.call(bitWidth, state, "bitWidth")
        const [y, written] = signed(x, scale)
        const [value, afterDelay] = Brick.call(delayWrapper, state, "delayWrapper", x, y)
        const after = { scalingImpl: afterScaling, delayWrapper: afterDelay }
        const quantized = merged({ value, scale, zeroPoint, bitWidth: bits, ...written }, inputViewImpl, input.shape)
        return [quantized, Brick.remembered(state.memory, after)] as const
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
 * - errors:   `ConstructionFailed` if `signed` is false; NaN stays NaN
 * - source:   Courbariaux et al. 2016, arXiv:1602.02830
 */
export const BinaryQuant = Brick.component(
  "BinaryQuant",
  { ...dependencies, signed: Injector.optional(true) },
  (given) => {
    const reason = "is false; binary quantization is signed: its values are -scale and +scale"
    if (!given.signed) throw new InvalidOptions({ what: "BinaryQuant", option: "signed", reason })
    return binary("BinaryQuant", given, {}, (x, scale) => [SignQuant.binary(x, scale), {}])
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
  { ...dependencies, tensorClampImpl: Injector.optional<Clamp | undefined>(undefined) },
  ({ tensorClampImpl = TensorClamp({}), ...given }) =>
    binary("ClampedBinaryQuant", given, { tensorClampImpl }, (x, scale) => {
      const { passes, writes } = tensorClampImpl
      const clamped = (): tf.Tensor => tensorClampImpl.apply(x, tf.neg(scale), scale)
      if (passes !== undefined) return [SignQuant.clampedBinary(x, scale, passes), writes ? { input: clamped() } : {}]
      const input = clamped()
      return [SignQuant.keepingNaN(x, tf.mul(Sign.binary(input), scale)), writes ? { input } : {}]
    })
)
