/**
 * Scale factors that do not look at what they scale: constant and learned. What all scales share is in `Restricted.ts`.
 *
 * Room: core (level 2). Imports: tfjs, `inject`, `./Brick.ts`, `./Module.ts`, `./Restricted.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Brick from "./Brick.ts"
import * as Module from "./Module.ts"
import * as Restricted from "./Restricted.ts"

/** Answers the scale: the scaling's own value divided by `threshold`; without one the answer has at least one axis. */
export type Scaling = Brick.Stateful<readonly [x: tf.Tensor, threshold?: tf.Tensor], tf.Tensor>

// ---- initial values -----------------------------------------------------------------------------------------

const numbersOf = (init: number | tf.Tensor): ReadonlyArray<number> =>
  typeof init === "number" ? [init] : Array.from(init.dataSync())

/** An initial scale that could only give scales of 0 or NaN is refused. */
const checkInit = (what: string, init: number | tf.Tensor, given: Restricted.Given): void => {
  const values = numbersOf(init)
  const smallest = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const refuse = (fine: boolean, reason: string) => Restricted.check(fine, what, "scalingInit", reason)
  refuse(!values.some(Number.isNaN), "is NaN")
  if (given.restrictScalingImpl.initLabel === "LogTwo")
    refuse(smallest > 0, `must be positive, as it is learned as its logarithm; it has ${smallest}`)
  refuse(
    !values.includes(0) || (given.scalingMinVal ?? 0) !== 0,
    "must not be 0: that is no scale; give a small positive scalingMinVal"
  )
}

/** `I(init)`, a single number repeated over the shape. */
const initial = (
  what: string,
  init: number | tf.Tensor,
  shape: ReadonlyArray<number> | undefined,
  given: Restricted.Given
): tf.Tensor => {
  checkInit(what, init, given)
  const own = typeof init === "number" ? [] : init.shape
  const size = typeof init === "number" ? 1 : init.size
  Restricted.check(
    shape === undefined || size === 1 || JSON.stringify(own) === JSON.stringify(shape),
    what,
    "scalingInit",
    `has the shape [${own}], which is not the scalingShape [${shape}]`
  )
  return tf.tidy(() => {
    const value = given.restrictScalingImpl.init(typeof init === "number" ? tf.scalar(init) : init)
    if (shape === undefined || JSON.stringify(value.shape) === JSON.stringify(shape)) return tf.clone(value)
    return tf.mul(tf.ones([...shape]), tf.reshape(value, []))
  })
}

/** The scale of He initialization: for each tensor of weights from its number of elements for one output channel, and their mean. */
export const heScale = (weights: ReadonlyArray<{ readonly size: number; readonly channels: number }>): number =>
  weights.reduce((sum, { size, channels }) => sum + Math.sqrt(2 / (size / channels)), 0) / weights.length

/**
 * The attribute `scalingInit` by He's rule: the mean over all weights of `sqrt(2 / elements of one output channel)`.
 *
 * @since 0.2.0
 */
export const HeScalingInit = Injector.value(["module"], (module: Module.Modules) =>
  heScale(
    Module.list(module).map(({ weight, outputChannelAxis }) => ({
      size: weight.size,
      channels: weight.shape[outputChannelAxis] ?? 1
    }))
  )
)

// ---- scales -------------------------------------------------------------------------------------------------

/**
 * A fixed scale.
 *
 * - formula:  `y = A(RC(I(init)) / tau)`, with the restriction's `RC`, `I` and threshold `tau` of `Restricted.make`
 * - shapes:   that of `scalingInit`, or of the threshold where it has more axes
 * - gradient: to the threshold only
 * - errors:   InvalidOptions for an initial scale that is 0 or NaN, or not positive where its logarithm is taken
 * - source:   Brevitas, core/scaling/standalone.py
 */
export const ConstScaling = Brick.component(
  "ConstScaling",
  { scalingInit: Injector.required<number | tf.Tensor>(), ...Restricted.dependencies },
  (given): Scaling => {
    const restricted = Restricted.make(given)
    const value = initial("ConstScaling", given.scalingInit, undefined, given)
    const { restrictClampScaling, restrictClampThreshold, restrictClampScaleThreshold, restrictThresholdPre } =
      restricted.parts()
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
        apply: (_: Brick.State, __: tf.Tensor, threshold?: tf.Tensor) =>
          [restricted.scale(value, threshold), {}] as const
      }
    )
  }
)

/**
 * A learned scale.
 *
 * - formula:  `y = A(RC(value) / tau)`, `value` learned from `I(scalingInit)`
 * - shapes:   `scalingShape -> y [...scalingShape]`
 * - gradient: through `RC` to `value`, and to the threshold; none to x
 * - errors:   InvalidOptions for an initial scale of another shape, 0 or NaN, or not positive where its logarithm is learned
 * - source:   Esser et al. 2020, arXiv:1902.08153; Brevitas, core/scaling/standalone.py
 */
export const ParameterScaling = Brick.component(
  "ParameterScaling",
  {
    scalingInit: Injector.required<number | tf.Tensor>(),
    /** absent: the shape of the initial value */
    scalingShape: Injector.optional<ReadonlyArray<number> | undefined>(undefined),
    ...Restricted.dependencies
  },
  (given): Scaling => {
    const restricted = Restricted.make(given)
    const { restrictClampScaling, restrictClampThreshold, restrictThresholdPre, restrictClampScaleThreshold } =
      restricted.parts()
    const children = { restrictClampScaling, restrictClampThreshold, restrictThresholdPre, restrictClampScaleThreshold }
    const parameters = { value: initial("ParameterScaling", given.scalingInit, given.scalingShape, given) }
    return Brick.make(
      "ParameterScaling",
      children,
      { parameters },
      {
        apply: ({ parameters: { value } }: Brick.State, _: tf.Tensor, threshold?: tf.Tensor) =>
          [restricted.scale(value as tf.Tensor, threshold), {}] as const
      }
    )
  }
)
