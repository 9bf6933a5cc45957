/**
 * Scales of truncation: what integers are divided by so that they fit fewer bits.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `./Brick.ts`, `./Clamp.ts`, `./IntScaling.ts`, `./Scaling.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as ClampOp from "../op/Clamp.ts"
import * as PowerOfTwo from "../op/PowerOfTwo.ts"
import * as Brick from "./Brick.ts"
import { type Clamp, TensorClamp } from "./Clamp.ts"
import type { IntScaling } from "./IntScaling.ts"
import type { Scaling } from "./Scaling.ts"

/** Answers what the integers x of `inputBitWidth` bits are divided by to have `bitWidth` bits. */
export type TruncScaling = Brick.Stateful<
  readonly [x: tf.Tensor, inputBitWidth: tf.Tensor, bitWidth: tf.Tensor, signed?: boolean],
  tf.Tensor
>

/** `2^(inputBitWidth - bitWidth)`: how much the widths differ. */
const ratio = (inputBitWidth: tf.Tensor, bitWidth: tf.Tensor): tf.Tensor =>
  PowerOfTwo.exp2(tf.sub(inputBitWidth, bitWidth))

/**
 * The scale that keeps the most significant bits.
 *
 * - formula:  `y = 2^(inputBitWidth - bitWidth)`: less than 1 where the output is wider
 * - shapes:   `inputBitWidth [], bitWidth [] -> y []`
 * - gradient: `dy * ln 2 * y` to the width of the input, its negative to that of the output
 * - errors:   none
 * - source:   Brevitas, core/scaling/standalone.py
 *
 * @since 0.2.0
 */
export const TruncMsbScaling = Injector.component(
  "TruncMsbScaling",
  {},
  (): TruncScaling =>
    Brick.make(
      "TruncMsbScaling",
      {},
      {},
      {
        apply: (_: Brick.State, __: tf.Tensor, inputBitWidth: tf.Tensor, bitWidth: tf.Tensor) =>
          [ratio(inputBitWidth, bitWidth), {}] as const
      }
    )
)

/**
 * The scale of any scaling of the integers, within what the widths allow.
 *
 * - formula:  `y = clamp(scaling(x, intScaling(bitWidth)), min(1, r), max(1, r))`, `r = 2^(inputBitWidth - bitWidth)`
 * - shapes:   `x [...d], inputBitWidth [], bitWidth [] -> y`, shaped as the scale
 * - gradient: by selection: through the scaling and its threshold, or through `r`
 * - errors:   none; NaN passes
 * - source:   Brevitas, core/scaling/standalone.py
 *
 * @since 0.2.0
 */
export const TruncScalingWrapper = Injector.component(
  "TruncScalingWrapper",
  {
    truncIntScalingImpl: Injector.required<IntScaling>(),
    scalingImpl: Injector.required<Scaling>(),
    tensorClampImpl: Injector.optional<Clamp>(TensorClamp({}))
  },
  ({ truncIntScalingImpl, scalingImpl, tensorClampImpl }): TruncScaling =>
    Brick.make(
      "TruncScalingWrapper",
      { truncIntScalingImpl, scalingImpl, tensorClampImpl },
      {},
      {
        apply: (
          state: Brick.State,
          x: tf.Tensor,
          inputBitWidth: tf.Tensor,
          bitWidth: tf.Tensor,
          signed?: boolean | undefined
        ) => {
          const threshold = truncIntScalingImpl.apply(bitWidth, signed)
          const [scale, afterScaling] = Brick.call(scalingImpl, state, "scalingImpl", x, threshold)
          const r = ratio(inputBitWidth, bitWidth)
          // 1 itself is what is clamped: at equal widths both bounds are the constant
          const [one, none] = [tf.onesLike(r), tf.scalar(Number.POSITIVE_INFINITY)]
          const [lowest, highest] = [ClampOp.between(one, tf.neg(none), r), ClampOp.between(one, r, none)]
          const y = tensorClampImpl.apply(scale, lowest, highest)
          return [y, Brick.remembered(state.memory, { scalingImpl: afterScaling })] as const
        }
      }
    )
)
