/**
 * Learned rounding: a parameter for each element decides whether it is rounded up or down.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./Brick.ts`, `./Rounding.ts`, `./View.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Clamp from "../op/Clamp.ts"
import * as LearnedRound from "../op/LearnedRound.ts"
import * as Round from "../op/Round.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Brick from "./Brick.ts"
import type { Rounding } from "./Rounding.ts"
import * as View from "./View.ts"

/** From the learned parameter to what rounds: `apply` answers `h(p)`, `round` the rounded x. */
export interface LearnedRoundImpl extends Brick.Stateless<readonly [p: tf.Tensor, training: boolean], tf.Tensor> {
  readonly round: (x: tf.Tensor, h: tf.Tensor) => tf.Tensor
  /** the parameters that learning begins with, for values with these fractional parts */
  readonly initial: (fraction: tf.Tensor) => tf.Tensor
}

const defaults = { zeta: 1.1, gamma: -0.1 }
const upwards = (x: tf.Tensor, h: tf.Tensor): tf.Tensor => tf.add(Round.floor(x), h)

const refuse = (what: string, option: string, reason: string): never => {
  throw new InvalidOptions({ what, option, reason })
}

/**
 * Down, plus a stretched and cut-off logistic function of the parameter.
 *
 * - formula:  `y = floor(x) + h`, `h = clamp(sigmoid(p) * (zeta - gamma) + gamma, 0, 1)`; in evaluation h is 1 above one half, else 0
 * - shapes:   `p [...d] -> h [...d]`
 * - gradient: in training to p where h is not cut off; in evaluation none
 * - errors:   `ConstructionFailed` unless gamma <= 0, zeta >= 1 and both are finite
 * - source:   Nagel et al. 2020, arXiv:2004.10568
 *
 * @since 0.2.0
 */
export const LearnedRoundHardSigmoid = Injector.component(
  "LearnedRoundHardSigmoid",
  { learnedRoundZeta: Injector.optional(defaults.zeta), learnedRoundGamma: Injector.optional(defaults.gamma) },
  ({ learnedRoundZeta: zeta, learnedRoundGamma: gamma }): LearnedRoundImpl => {
    const label = "LearnedRoundHardSigmoid"
    if (!(zeta >= 1 && zeta < Number.POSITIVE_INFINITY))
      refuse(label, "learnedRoundZeta", `must be a finite number of at least 1, not ${zeta}`)
    if (!(gamma <= 0 && gamma > Number.NEGATIVE_INFINITY))
      refuse(label, "learnedRoundGamma", `must be a finite number of at most 0, not ${gamma}`)
    return Brick.make(
      label,
      {},
      {},
      {
        apply: (p: tf.Tensor, training: boolean) =>
          training ? LearnedRound.hardSigmoid(p, zeta, gamma) : LearnedRound.hardSigmoidStep(p, zeta, gamma),
        round: upwards,
        initial: (fraction: tf.Tensor) => LearnedRound.hardSigmoidInverse(fraction, zeta, gamma)
      }
    )
  }
)

/**
 * Down, plus a logistic function of the parameter.
 *
 * - formula:  `y = floor(x) + h`, `h = sigmoid(p / temperature)`; in evaluation h is 1 for p > 0, else 0
 * - shapes:   `p [...d] -> h [...d]`
 * - gradient: in training to p; in evaluation none
 * - errors:   `ConstructionFailed` if the temperature is 0 or not finite
 * - source:   Brevitas, core/function_wrapper/learned_round.py
 *
 * @since 0.2.0
 */
export const LearnedRoundSigmoid = Injector.component(
  "LearnedRoundSigmoid",
  { learnedRoundTemperature: Injector.optional(1) },
  ({ learnedRoundTemperature: temperature }): LearnedRoundImpl => {
    if (!Number.isFinite(temperature) || temperature === 0)
      refuse(
        "LearnedRoundSigmoid",
        "learnedRoundTemperature",
        `must be a finite number other than 0, not ${temperature}`
      )
    return Brick.make(
      "LearnedRoundSigmoid",
      {},
      {},
      {
        apply: (p: tf.Tensor, training: boolean) =>
          training ? LearnedRound.sigmoid(p, temperature) : LearnedRound.positiveStep(p),
        round: upwards,
        // that of the hard sigmoid, as in the reference, although it is not this function's inverse
        initial: (fraction: tf.Tensor) => LearnedRound.hardSigmoidInverse(fraction, defaults.zeta, defaults.gamma)
      }
    )
  }
)

/**
 * To the nearest integer of the value with the parameter added.
 *
 * - formula:  `y = rne(x + h)`, `h = clamp(p, -bound, bound)`
 * - shapes:   `p [...d] -> h [...d]`
 * - gradient: `dp = dh` (straight-through, also beyond the bounds), in training and evaluation
 * - errors:   `ConstructionFailed` if the bound is not a number of at least 0
 * - source:   Cheng et al. 2023, arXiv:2309.05516
 *
 * @since 0.2.0
 */
export const LearnedRoundIdentity = Brick.component(
  "LearnedRoundIdentity",
  { learnedRoundBound: Injector.optional(0.5) },
  ({ learnedRoundBound: bound }): LearnedRoundImpl => {
    if (!(bound >= 0))
      refuse("LearnedRoundIdentity", "learnedRoundBound", `must be a number of at least 0, not ${bound}`)
    const low = tf.scalar(-bound)
    const high = tf.scalar(bound)
    return Brick.make(
      "LearnedRoundIdentity",
      { tensorClamp: Brick.shown("TensorClampSte") },
      { constants: [low, high] },
      {
        apply: (p: tf.Tensor) => Clamp.betweenStraightThrough(p, low, high),
        round: (x: tf.Tensor, h: tf.Tensor) => Round.nearest(tf.add(x, h)),
        initial: (fraction: tf.Tensor) => tf.zerosLike(fraction)
      }
    )
  }
)

/**
 * Rounding with a learned parameter for each element; what is no element, such as a zero-point, goes to the nearest integer.
 *
 * - formula:  `y = round(x, view(h(value)))`, with `h` and `round` of `learnedRoundImpl`
 * - shapes:   `x [...d], view(value) [...d] -> y [...d]`
 * - gradient: `dx = dy`; to `value` through h
 * - errors:   none
 * - source:   Nagel et al. 2020, arXiv:2004.10568; Brevitas, core/function_wrapper/learned_round.py
 *
 * @since 0.2.0
 */
export const LearnedRoundSte = Brick.component(
  "LearnedRoundSte",
  {
    learnedRoundImpl: Injector.required<LearnedRoundImpl>(),
    /** the first parameters, one for each element of the weight; see `initialOf` */
    learnedRoundInit: Injector.required<tf.Tensor>(),
    inputViewImpl: Injector.optional<View.View>(View.identity)
  },
  ({ learnedRoundImpl, learnedRoundInit, inputViewImpl }): Rounding =>
    Brick.make(
      "LearnedRoundSte",
      { learnedRoundImpl, tensorSlicer: Brick.shown("SliceTensor"), inputViewImpl },
      { parameters: { value: tf.clone(learnedRoundInit) } },
      {
        alone: Round.nearest,
        apply: ({ parameters: { value }, training }: Brick.State, x: tf.Tensor) => {
          const h = inputViewImpl.apply(learnedRoundImpl.apply(value as tf.Tensor, training))
          return [learnedRoundImpl.round(x, h), {}] as const
        }
      }
    )
)

/** The parameters with which learned rounding of `shifted = x / scale + zeroPoint` begins. */
export const initialOf = (self: LearnedRoundImpl, shifted: tf.Tensor): tf.Tensor =>
  tf.tidy(() => self.initial(tf.sub(shifted, tf.floor(shifted))))
