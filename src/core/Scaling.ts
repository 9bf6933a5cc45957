/**
 * Scale factors that do not look at what they scale: constant and learned. What all scales share is in `Restricted.ts`.
 *
 * Room: core (level 2). Imports: tfjs, `inject`, `./Brick.ts`, `./Restricted.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Brick from "./Brick.ts"
import * as Restricted from "./Restricted.ts"

/** Answers the scale: the scaling's own value divided by `threshold`; without one the answer has at least one axis. */
export type Scaling = Brick.Stateful<readonly [x: tf.Tensor, threshold?: tf.Tensor], tf.Tensor>

const positioned = (init: number | tf.Tensor, shape: ReadonlyArray<number>, into: (v: tf.Tensor) => tf.Tensor) =>
  tf.tidy(() => {
    const value = into(typeof init === "number" ? tf.scalar(init) : init)
    return value.shape.length >= shape.length && tf.util.sizeFromShape([...shape]) === value.size
      ? value.clone()
      : tf.add(value, tf.zeros([...shape])).clone()
  })

const standalone = {
  scalingInit: Injector.required<number | tf.Tensor>(),
  scalingShape: Injector.optional<ReadonlyArray<number>>([]),
  ...Restricted.dependencies
}

/**
 * A fixed scale.
 *
 * - formula:  `y = |RC(I(init))| / tau`, with the restriction's `RC`, `I` and threshold `tau` of `Restricted.make`
 * - shapes:   `scalingShape -> y [...scalingShape]`
 * - gradient: to the threshold only
 * - errors:   none
 * - source:   Brevitas, core/scaling/standalone.py
 */
export const ConstScaling = Brick.component("ConstScaling", standalone, (given): Scaling => {
  const restricted = Restricted.make(given)
  const value = positioned(given.scalingInit, given.scalingShape, given.restrictScalingImpl.init)
  const { restrictClampScaling, restrictClampThreshold, restrictClampScaleThreshold, restrictThresholdPre } =
    restricted.parts
  const children = {
    restrictClampScaling,
    restrictClampThreshold,
    restrictClampScaleThreshold,
    value: Brick.shown("StatelessBuffer"),
    restrictThresholdPre
  }
  return Brick.make(
    "ConstScaling",
    children,
    { constants: [value] },
    {
      apply: (_: Brick.State, __: tf.Tensor, threshold?: tf.Tensor) => [restricted.scale(value, threshold), {}] as const
    }
  )
})

/**
 * A learned scale.
 *
 * - formula:  `y = |RC(value)| / tau`, `value` learned from `I(scalingInit)`
 * - shapes:   `scalingShape -> y [...scalingShape]`
 * - gradient: through `RC` to `value`, and to the threshold; none to x
 * - errors:   none
 * - source:   Esser et al. 2020, arXiv:1902.08153; Brevitas, core/scaling/standalone.py
 */
export const ParameterScaling = Brick.component("ParameterScaling", standalone, (given): Scaling => {
  const restricted = Restricted.make(given)
  const { restrictClampScaling, restrictClampThreshold, restrictThresholdPre, restrictClampScaleThreshold } =
    restricted.parts
  const children = { restrictClampScaling, restrictClampThreshold, restrictThresholdPre, restrictClampScaleThreshold }
  const parameters = { value: positioned(given.scalingInit, given.scalingShape, given.restrictScalingImpl.init) }
  return Brick.make(
    "ParameterScaling",
    children,
    { parameters },
    {
      apply: ({ parameters: { value } }: Brick.State, _: tf.Tensor, threshold?: tf.Tensor) =>
        [restricted.scale(value as tf.Tensor, threshold), {}] as const
    }
  )
})
