/**
 * Ternary quantizer: each value becomes minus the scale, 0, or the scale.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `tensor`, `./Brick.ts` and the bricks it is made of.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as SignQuant from "../op/SignQuant.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import { BitWidthConst } from "./BitWidth.ts"
import * as Brick from "./Brick.ts"
import * as Delay from "./Delay.ts"
import type { Scaling } from "./Scaling.ts"
import { merged, type TensorQuantizer } from "./TensorQuantizer.ts"
import * as View from "./View.ts"

/**
 * Scaled ternary quantization.
 *
 * - formula:  `y = sign(x) * scale if |x| > threshold * scale else 0`
 * - shapes:   `x [...d], scale broadcast to [...d] -> y [...d]`
 * - gradient: `dx = dy * scale` where `|x| > threshold * scale`, else 0; `dscale = sum(dy * sign(x) there)`
 * - errors:   `ConstructionFailed` if the threshold is not a number; NaN stays NaN
 * - source:   Li, Zhang, Liu 2016, arXiv:1605.04711
 *
 * @since 0.2.0
 */
export const TernaryQuant = Brick.component(
  "TernaryQuant",
  {
    scalingImpl: Injector.required<Scaling>(),
    /** relative to the scale */
    threshold: Injector.required<number>(),
    quantDelaySteps: Injector.optional(0),
    /** forms groups, if there are any */
    inputViewImpl: Injector.optional<View.View>(View.identity)
  },
  ({ scalingImpl, threshold, quantDelaySteps, inputViewImpl }): TensorQuantizer => {
    if (!Number.isFinite(threshold))
      throw new InvalidOptions({ what: "TernaryQuant", option: "threshold", reason: `is not a number: ${threshold}` })
    const bitWidth = BitWidthConst({ bitWidth: 2 })
    const zeroPoint = tf.scalar(0)
    const delayWrapper = Delay.make(quantDelaySteps)
    const own = { scalingImpl, bitWidth, zeroPoint: Brick.shown("StatelessBuffer"), delayWrapper }
    const children = { ...own, ...View.shownIn(inputViewImpl) }
    return Brick.make(
      "TernaryQuant",
      children,
      { constants: [zeroPoint, ...bitWidth.own] },
      {
        apply: (state: Brick.State, input: tf.Tensor) => {
          const [scale, afterScaling] = Brick.call(scalingImpl, state, "scalingImpl", input)
          const x = inputViewImpl.apply(input)
          const [bits] = Brick.call(bitWidth, state, "bitWidth")
          const y = SignQuant.ternary(x, scale, threshold)
          const [value, afterDelay] = Brick.call(delayWrapper, state, "delayWrapper", x, y)
          const after = { scalingImpl: afterScaling, delayWrapper: afterDelay }
          const quantized = merged({ value, scale, zeroPoint, bitWidth: bits }, inputViewImpl, input.shape)
          return [quantized, Brick.remembered(state.memory, after)] as const
        }
      }
    )
  }
)
