/**
 * What all scales share: the restriction of their values, their minimum, the division by a threshold, and the checks of options.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./Brick.ts`, `./Restriction.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Clamp from "../op/Clamp.ts"
import * as Pointwise from "../op/Pointwise.ts"
import { magnitude } from "../op/Sign.ts"
import * as Constant from "../tensor/Constant.ts"
import * as Float32 from "../tensor/Float32.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
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
  readonly parts: () => Parts
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
  /** `scale(I(M(s)))` of a statistic: in fewer passes for many numbers */
  readonly ofStatistic: (s: tf.Tensor, threshold: tf.Tensor | undefined) => tf.Tensor
  /** `R(I(v))`, where the restriction has it in one pass */
  readonly whole: (v: tf.Tensor) => tf.Tensor
  /** some of these formulas, then a division by `R_t(I_t(t))`, then others: few numbers by a threshold that is known on the host */
  readonly quotient: (
    v: tf.Tensor,
    threshold: tf.Tensor | undefined,
    before: ReadonlyArray<Formula>,
    after: ReadonlyArray<Formula>,
    divisor?: "signed" | "magnitude"
  ) => tf.Tensor
}

/** The formulas that a scale is made of, by name. */
export type Formula = "restrict" | "whole" | "clamped" | "positive" | "divided"

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
const abs = Brick.shown("Abs")
const clampMinSte = Brick.shown("ScalarSignedClampMinSte")
const clampValue = Brick.shown("_ClampValue", { clampMinSte })
const noClampValue = Brick.shown("_ClampValue", { clampMinSte: identity })
const preprocess = { Identity: identity, LogTwo: Brick.shown("LogTwo") } as const

/** How values are made positive, as printed. */
export const applyAbs = (unsigned: boolean): Brick.Brick => (unsigned ? abs : identity)

/** How a value is brought into the domain of a restriction, as printed. */
export const preprocessing = ({ initLabel }: Restriction.Restriction): Brick.Brick => preprocess[initLabel]

/** `_ClampValue` as printed. */
export const clamping = (min: number | undefined): Brick.Brick =>
  min === undefined || min === 0 ? noClampValue : clampValue

/** `_RestrictClampValue` as printed; a restriction that another part shows already is left out. */
export const restrictClamp = (
  min: number | undefined,
  restriction: Brick.Brick | undefined,
  unsigned = true
): Brick.Brick =>
  Brick.shown("_RestrictClampValue", {
    clampMinSte: min === undefined ? identity : clampMinSte,
    ...(restriction !== undefined && { restrictValueImpl: restriction }),
    applyAbs: applyAbs(unsigned)
  })

const same = (v: tf.Tensor): tf.Tensor => v

/** `M(v)` for a minimum. */
export const clampedAt = (min: number | undefined): ((v: tf.Tensor) => tf.Tensor) =>
  min === undefined || min === 0 ? same : (v) => Clamp.atLeast(v, min)

const partsOf = (given: Given): Parts => {
  const { restrictScalingImpl, restrictThresholdImpl, restrictScaleThresholdImpl, isScaleUnsigned } = given
  const min = given.scalingMinVal === 0 ? undefined : given.scalingMinVal
  const ofThreshold = restrictThresholdImpl ?? restrictScalingImpl
  return {
    restrictClampScaling: restrictClamp(min, restrictScalingImpl, isScaleUnsigned),
    restrictClampThreshold: restrictClamp(
      undefined,
      ofThreshold === restrictScalingImpl ? undefined : restrictThresholdImpl
    ),
    restrictClampScaleThreshold: restrictClamp(undefined, restrictScaleThresholdImpl ?? identity, isScaleUnsigned),
    restrictScalingPre: preprocessing(restrictScalingImpl),
    restrictThresholdPre: preprocessing(ofThreshold),
    clampScaling: clamping(min)
  }
}

/** The formulas for numbers on the host; absent where a restriction has none. */
const stepsOf = (given: Given): Readonly<Record<Formula, ReadonlyArray<Pointwise.Step> | undefined>> => {
  const { restrictScalingImpl, restrictScaleThresholdImpl, scalingMinVal: min, isScaleUnsigned } = given
  return {
    restrict: restrictScalingImpl.steps,
    whole: undefined,
    clamped: min === undefined || min === 0 ? [] : [Pointwise.atLeast(min)],
    positive: isScaleUnsigned ? [Pointwise.magnitude] : [],
    divided: restrictScaleThresholdImpl === undefined ? [] : restrictScaleThresholdImpl.steps
  }
}

/** `R_t(I_t(t))` of a number. */
const thresholdNumber = ({ steps, initLabel }: Restriction.Restriction, t: number): number | undefined =>
  steps === undefined ? undefined : Pointwise.number(steps, initLabel === "LogTwo" ? Float32.log2(t) : t)

/** The formulas and the printed parts of a restriction with its minimum. */
export const make = (given: Given): Restricted => {
  const { restrictScalingImpl, restrictThresholdImpl, restrictScaleThresholdImpl, scalingMinVal, isScaleUnsigned } =
    given
  check(!Number.isNaN(scalingMinVal), "the scaling", "scalingMinVal", "is NaN")
  const ofThreshold = restrictThresholdImpl ?? restrictScalingImpl
  const steps = stepsOf(given)
  const joined = (formulas: ReadonlyArray<Formula>): ReadonlyArray<Pointwise.Step> | undefined => {
    const all = formulas.map((formula) => steps[formula])
    return all.includes(undefined) ? undefined : all.flatMap((some) => some ?? [])
  }
  const onHost: Restricted["quotient"] extends (...given: infer In) => tf.Tensor
    ? (...given: In) => tf.Tensor | undefined
    : never = (v, threshold, before, after, divisor) => {
    const t = threshold === undefined ? 1 : Constant.numberOf(threshold)
    if (t === undefined || v.size > Pointwise.few || v.dtype !== "float32") return undefined
    const [first, by, last] = [joined(before), thresholdNumber(ofThreshold, t), joined(after)]
    if (first === undefined || by === undefined || last === undefined) return undefined
    const over = Pointwise.over(divisor === "magnitude" ? Math.abs(by) : by)
    return Pointwise.chain(v, [...first, over, ...last], threshold === undefined && v.rank === 0 ? [1] : v.shape)
  }
  const self: Restricted = {
    parts: () => partsOf(given),
    clamped: clampedAt(scalingMinVal),
    positive: isScaleUnsigned ? magnitude : same,
    restrict: restrictScalingImpl.apply,
    whole: restrictScalingImpl.whole ?? ((v) => self.restrict(self.init(v))),
    restrictClamp: (v) => self.positive(self.clamped(self.restrict(v))),
    init: restrictScalingImpl.init,
    threshold: (t) => ofThreshold.apply(ofThreshold.init(t ?? tf.ones([1]))),
    divided: restrictScaleThresholdImpl?.apply ?? same,
    scale: (v, t) => self.quotient(v, t, ["restrict", "clamped", "positive"], ["divided", "positive"], "magnitude"),
    ofStatistic: (s, t) =>
      restrictScalingImpl.whole === undefined || s.size <= Pointwise.few
        ? self.scale(self.init(self.clamped(s)), t)
        : self.quotient(self.clamped(s), t, ["whole", "clamped", "positive"], ["divided", "positive"], "magnitude"),
    quotient: (v, t, before, after, divisor = "signed") => {
      const answer = onHost(v, t, before, after, divisor)
      if (answer !== undefined) return answer
      const all = (formulas: ReadonlyArray<Formula>, x: tf.Tensor): tf.Tensor =>
        formulas.reduce((y, formula) => self[formula](y), x)
      const known = t === undefined ? undefined : Constant.numberOf(t)
      const number = known === undefined ? undefined : thresholdNumber(ofThreshold, known)
      const by = number === undefined ? self.threshold(t) : tf.scalar(number)
      return all(after, tf.div(all(before, v), divisor === "magnitude" ? magnitude(by) : by))
    }
  }
  return self
}
