/**
 * What all scales share: the restriction of their values, their minimum, and the division by a threshold.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `./Brick.ts`, `./Restriction.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Clamp from "../op/Clamp.ts"
import { magnitude } from "../op/Sign.ts"
import * as Brick from "./Brick.ts"
import * as Restriction from "./Restriction.ts"

export const dependencies = {
  restrictScalingImpl: Injector.optional<Restriction.Restriction>(Restriction.float),
  /** how the threshold is restricted, if not as the scale is */
  restrictThresholdImpl: Injector.optional<Restriction.Restriction | undefined>(undefined),
  /** the smallest magnitude of a scale, before the division by the threshold; absent: none */
  scalingMinVal: Injector.optional<number | undefined>(undefined),
  /** whether scales are made positive */
  isScaleUnsigned: Injector.optional(true)
}
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

export interface Restricted {
  readonly parts: Parts
  /** `M(v)`: no magnitude below the minimum, with a straight-through gradient */
  readonly clamped: (v: tf.Tensor) => tf.Tensor
  /** `A(v)`: the magnitude, unless scales may be negative */
  readonly positive: (v: tf.Tensor) => tf.Tensor
  /** `R(v)`: from the learned domain to a scale */
  readonly restrict: (v: tf.Tensor) => tf.Tensor
  /** `I(v)`: into the learned domain */
  readonly init: (v: tf.Tensor) => tf.Tensor
  /** `R_t(I_t(t))` */
  readonly threshold: (t: tf.Tensor) => tf.Tensor
  /** `A(RC(v) / |R_t(I_t(t))|)` with `RC(v) = A(M(R(v)))`; without a threshold the answer has at least one axis */
  readonly scale: (v: tf.Tensor, threshold: tf.Tensor | undefined) => tf.Tensor
}

/** At least one axis: what division by the absent threshold `[1]` does. */
export const atLeastOneAxis = (scale: tf.Tensor): tf.Tensor => (scale.rank === 0 ? tf.reshape(scale, [1]) : scale)

const clampMin = (min: number | undefined): Brick.Brick =>
  Brick.shown(min === undefined ? "Identity" : "ScalarSignedClampMinSte")
const restrictClamp = (min: number | undefined, restriction?: Brick.Brick): Brick.Brick =>
  Brick.shown("_RestrictClampValue", {
    clampMinSte: clampMin(min),
    ...(restriction !== undefined && { restrictValueImpl: restriction }),
    applyAbs: Brick.shown("Abs")
  })

/** The formulas and the printed parts of a restriction with its minimum. */
export const make = (given: Given): Restricted => {
  const { restrictScalingImpl, restrictThresholdImpl, scalingMinVal: min } = given
  const ofThreshold = restrictThresholdImpl ?? restrictScalingImpl
  const clamped = (v: tf.Tensor): tf.Tensor => (min === undefined ? v : Clamp.atLeast(v, min))
  const positive = (v: tf.Tensor): tf.Tensor => (given.isScaleUnsigned ? magnitude(v) : v)
  const threshold = (t: tf.Tensor): tf.Tensor => ofThreshold.apply(ofThreshold.init(t))
  const restrict = restrictScalingImpl.apply
  return {
    parts: {
      restrictClampScaling: restrictClamp(min, restrictScalingImpl),
      restrictClampThreshold: restrictClamp(undefined, restrictThresholdImpl),
      restrictClampScaleThreshold: restrictClamp(undefined, Brick.shown("Identity")),
      restrictScalingPre: Brick.shown(restrictScalingImpl.initLabel),
      restrictThresholdPre: Brick.shown(ofThreshold.initLabel),
      clampScaling: Brick.shown("_ClampValue", { clampMinSte: clampMin(min) })
    },
    clamped,
    positive,
    restrict,
    init: restrictScalingImpl.init,
    threshold,
    scale: (v, t) => {
      const scale = positive(clamped(restrict(v)))
      return t === undefined ? atLeastOneAxis(scale) : positive(tf.div(scale, magnitude(threshold(t))))
    }
  }
}
