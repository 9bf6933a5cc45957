/**
 * Ternary quantizer: each value becomes minus the scale, 0, or the scale.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `tensor`, `./Brick.ts` and the bricks it is made of.
 */
import * as Injector from "../inject/Injector.ts"
import * as SignQuant from "../op/SignQuant.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Brick from "./Brick.ts"
import * as ScaledSigns from "./ScaledSigns.ts"
import type { TensorQuantizer } from "./TensorQuantizer.ts"

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
    ...ScaledSigns.dependencies,
    /** relative to the scale */
    threshold: Injector.required<number>()
  },
  ({ threshold, ...given }): TensorQuantizer => {
    if (!Number.isFinite(threshold))
      throw new InvalidOptions({ what: "TernaryQuant", option: "threshold", reason: `is not a number: ${threshold}` })
    return ScaledSigns.make("TernaryQuant", 2, given, (x, scale) => [SignQuant.ternary(x, scale, threshold), {}])
  }
)
