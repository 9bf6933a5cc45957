/**
 * Clamps as bricks.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `./Brick.ts`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as ClampOp from "../op/Clamp.ts"
import * as Brick from "./Brick.ts"

/** Holds values within a range. */
export interface Clamp extends Brick.Stateless<readonly [x: tf.Tensor, low: tf.Tensor, high: tf.Tensor], tf.Tensor> {
  /** whether what was clamped takes the place of the input itself, such as a float weight, and not only of its use */
  readonly writes?: boolean
  /** whether the gradient passes beyond the range, of a clamp that is fused with what stands around it; absent: it is not */
  readonly passes?: boolean
}

/** A clamp whose gradient stops outside of the range and goes to the bounds. */
export const TensorClamp = Injector.component(
  "TensorClamp",
  {},
  (): Clamp => Brick.make("TensorClamp", {}, {}, { passes: false, apply: ClampOp.between })
)
/** A clamp with the gradient of the identity, for scales that follow the tensor's own statistics. */
export const TensorClampSte = Injector.component(
  "TensorClampSte",
  {},
  (): Clamp => Brick.make("TensorClampSte", {}, {}, { passes: true, apply: ClampOp.betweenStraightThrough })
)
/**
 * The same, and what was clamped takes the place of the input itself: weights beyond the range do not run away.
 *
 * @since 0.2.0
 */
export const InplaceTensorClampSte = Injector.component(
  "InplaceTensorClampSte",
  {},
  (): Clamp =>
    Brick.make("InplaceTensorClampSte", {}, {}, { writes: true, passes: true, apply: ClampOp.betweenStraightThrough })
)
