/**
 * What all scales share: the restriction of their values, their minimum, the division by a threshold, and the checks of options.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./Brick.ts`, `./Restriction.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Clamp from "../op/Clamp.ts"
import { magnitude } from "../op/Sign.ts"
import { InvalidOptions } from "../tensor/Errors.ts"
import * as Brick from "./Brick.ts"
import * as Restriction from "./Restriction.ts"

/** The options of every scale. */
export const dependencies = {
  restrictScalingImpl: Injector.optional<Restriction.Restriction>(Restriction.float),
  /** how the threshold is restricted, if not as the scale is */
  restrictThresholdImpl: Injector.optional<Restriction.Restriction | undefined>(undefined),
  /** how the scale is restricted once more after the division by the threshold; absent: not at all */
  restrictScaleThresholdImpl: Injector.optional<Restriction.Restriction | undefined>(undefined),
  /** the smallest magnitude of a scale, before the division by the threshold; absent or 0: none */
  scalingMinVal: Injector.optional<number | undefined>(undefined),
  /** whether scales are made positive */
  isScaleUnsigned: Injector.optional(true)
}
/** The options of every scale, as given. */
export type Given = Injector.AllOf<typeof dependencies>

/** The parts as they are printed; their formulas are below. */
export interface Parts {
  readonly restrictClampScaling: Brick.Brick
  readonly restrictClampThreshold: Brick.Brick
  readonly restrictClampScaleThreshold: Brick.Brick
  readonly restrictScalingPre: Brick.Brick
  readonly restrictThresholdPre: Brick.Brick
  readonly clampScaling: Brick.Brick
}

/** The formulas of a scale with its options. */
export interface Restricted {
  readonly parts: Parts
  /** `M(v)`: no magnitude below the minimum, with a straight-through gradient */
  readonly clamped: (v: tf.Tensor) => tf.Tensor
  /** `A(v)`: the magnitude, unless scales may be negative */
  readonly positive: (v: tf.Tensor) => tf.Tensor
  /** `R(v)`: from the learned domain to a scale */
  readonly restrict: (v: tf.Tensor) => tf.Tensor
  /** `RC(v) = A(M(R(v)))` */
  readonly restrictClamp: (v: tf.Tensor) => tf.Tensor
  /** `I(v)`: into the learned domain */
  readonly init: (v: tf.Tensor) => tf.Tensor
  /** `R_t(I_t(t))`; absent: of `[1]`, so that what is divided by it has at least one axis */
  readonly threshold: (t: tf.Tensor | undefined) => tf.Tensor
  /** the restriction after the division */
  readonly divided: (v: tf.Tensor) => tf.Tensor
  /** `A(RC(v) / |R_t(I_t(t))|)`; without a threshold the answer has at least one axis */
  readonly scale: (v: tf.Tensor, threshold: tf.Tensor | undefined) => tf.Tensor
}

// ---- checks -------------------------------------------------------------------------------------------------

/** Complains about an option at construction. */
export const check = (fine: boolean, what: string, option: string, reason: string): void => {
  if (!fine) throw new InvalidOptions({ what, option, reason })
}

/** A momentum lies within 0..1; `null` is the true average. */
export const checkMomentum = (what: string, momentum: number | null | undefined): void =>
  check(
    momentum === null || momentum === undefined || (momentum >= 0 && momentum <= 1),
    what,
    "scalingStatsMomentum",
    `must lie within 0..1, or be null for the true average; it is ${momentum}`
  )

// ---- constructors -------------------------------------------------------------------------------------------

const identity = Brick.shown("Identity")

const clampMin = (min: number | undefined): Brick.Brick =>
  min === undefined ? identity : Brick.shown("ScalarSignedClampMinSte")

/** `_RestrictClampValue` as printed; a restriction that another part shows already is left out. */
export const restrictClamp = (
  min: number | undefined,
  restriction: Brick.Brick | undefined,
  unsigned = true
): Brick.Brick =>
  Brick.shown("_RestrictClampValue", {
    clampMinSte: clampMin(min),
    ...(restriction !== undefined && { restrictValueImpl: restriction }),
    applyAbs: unsigned ? Brick.shown("Abs") : identity
  })

/** `M(v)` for a minimum. */
export const clampedAt = (min: number | undefined): ((v: tf.Tensor) => tf.Tensor) =>
  min === undefined || min === 0 ? (v) => v : (v) => Clamp.atLeast(v, min)

/** The formulas and the printed parts of a restriction with its minimum. */
export const make = (given: Given): Restricted => {
  const { restrictScalingImpl, restrictThresholdImpl, restrictScaleThresholdImpl, isScaleUnsigned } = given
  check(!Number.isNaN(given.scalingMinVal), "the scaling", "scalingMinVal", "is NaN")
  const min = given.scalingMinVal === 0 ? undefined : given.scalingMinVal
  const ofThreshold = restrictThresholdImpl ?? restrictScalingImpl
  const clamped = clampedAt(min)
  const positive = (v: tf.Tensor): tf.Tensor => (isScaleUnsigned ? magnitude(v) : v)
  const restrict = restrictScalingImpl.apply
  const threshold = (t: tf.Tensor | undefined): tf.Tensor => ofThreshold.apply(ofThreshold.init(t ?? tf.ones([1])))
  const restrictClamped = (v: tf.Tensor): tf.Tensor => positive(clamped(restrict(v)))
  const divided = restrictScaleThresholdImpl?.apply ?? ((v: tf.Tensor): tf.Tensor => v)
  return {
    parts: {
      restrictClampScaling: restrictClamp(min, restrictScalingImpl, isScaleUnsigned),
      restrictClampThreshold: restrictClamp(
        undefined,
        ofThreshold === restrictScalingImpl ? undefined : restrictThresholdImpl
      ),
      restrictClampScaleThreshold: restrictClamp(undefined, restrictScaleThresholdImpl ?? identity, isScaleUnsigned),
      restrictScalingPre: Brick.shown(restrictScalingImpl.initLabel),
      restrictThresholdPre: Brick.shown(ofThreshold.initLabel),
      clampScaling: Brick.shown("_ClampValue", { clampMinSte: clampMin(min) })
    },
    clamped,
    positive,
    restrict,
    restrictClamp: restrictClamped,
    init: restrictScalingImpl.init,
    threshold,
    divided,
    scale: (v, t) => positive(divided(tf.div(restrictClamped(v), magnitude(threshold(t)))))
  }
}
