/**
 * Learning rates as pure functions of the step.
 *
 * Steps count from 0: `at(0)` is the rate of the first step. A rate that cannot be is told by `check`, which whoever begins a
 * training asks.
 *
 * Room: core (level 2). Imports: effect, `tensor`. Laws: test/core/LearningRate.test.ts.
 */
import { dual } from "effect/Function"
import { InvalidOptions } from "../tensor/LayerErrors.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** A learning rate: a number for each step, and what is wrong with its options. */
export interface LearningRate {
  /** the rate of a step */
  readonly at: (step: number) => number
  /** what is wrong with the options it was made of */
  readonly check: InvalidOptions | undefined
}

/** A rate for all steps, or one for each. */
export type Rate = number | LearningRate

// ---- checking -----------------------------------------------------------------------------------------------

type Options = Readonly<Record<string, number | ReadonlyArray<number>>>
type Demand = readonly [holds: (x: number) => boolean, reason: string]

const isRate: Demand = [(x) => x >= 0 && x < Number.POSITIVE_INFINITY, "is not a finite number from 0 up"]
const isCount: Demand = [(x) => Number.isInteger(x) && x > 0, "is not a whole number above 0"]
const isStep: Demand = [(x) => Number.isInteger(x) && x >= 0, "is not a whole number from 0 up"]

/** The first option that is not as it should be. */
const checked = (
  what: string,
  options: Options,
  demands: Readonly<Record<string, Demand>>
): InvalidOptions | undefined => {
  for (const [option, [holds, reason]] of Object.entries(demands)) {
    const values = [options[option] ?? []].flat()
    const wrong = values.find((x) => !holds(x))
    if (wrong !== undefined) return new InvalidOptions({ what, option, reason: `${reason}: ${wrong}` })
  }
  return undefined
}

const rising = (steps: ReadonlyArray<number>): boolean =>
  steps.every((step, i) => i === 0 || step > (steps[i - 1] ?? 0))

// ---- constructors -------------------------------------------------------------------------------------------

/**
 * The rate that `at` says; steps count from 0. A rate that is negative or not finite ends the training at its step.
 *
 * @category constructors
 * @since 0.3.0
 */
export const make = (at: (step: number) => number): LearningRate => ({ at, check: undefined })

/**
 * `rate(t) = value`.
 *
 * @category constructors
 * @since 0.3.0
 */
export const constant = (value: number): LearningRate => ({
  at: () => value,
  check: checked("LearningRate.constant", { value }, { value: isRate })
})

/**
 * `rate(t) = initial * factor^floor(t / every)`, as PyTorch's `StepLR`; `factor` is 0.1 unless told otherwise.
 *
 * @category constructors
 * @since 0.3.0
 */
export const stepDecay = (options: {
  readonly initial: number
  readonly every: number
  readonly factor?: number
}): LearningRate => {
  const { initial, every, factor = 0.1 } = options
  return {
    at: (step) => initial * factor ** Math.floor(step / every),
    check: checked(
      "LearningRate.stepDecay",
      { initial, every, factor },
      { initial: isRate, every: isCount, factor: isRate }
    )
  }
}

/**
 * `rate(t) = initial * factor^n` with `n` of the steps `at` reached (`at <= t`), as PyTorch's `MultiStepLR`; `factor` is 0.1 unless
 * told otherwise.
 *
 * @category constructors
 * @since 0.3.0
 */
export const multiStep = (options: {
  readonly initial: number
  readonly at: ReadonlyArray<number>
  readonly factor?: number
}): LearningRate => {
  const { initial, at, factor = 0.1 } = options
  const what = "LearningRate.multiStep"
  return {
    at: (step) => initial * factor ** at.filter((reached) => reached <= step).length,
    check:
      checked(what, { initial, at, factor }, { initial: isRate, at: isStep, factor: isRate }) ??
      (rising(at) ? undefined : new InvalidOptions({ what, option: "at", reason: `does not rise: ${at.join(", ")}` }))
  }
}

/**
 * `rate(t) = initial * factor^t`, as PyTorch's `ExponentialLR`.
 *
 * @category constructors
 * @since 0.3.0
 */
export const exponential = (options: { readonly initial: number; readonly factor: number }): LearningRate => {
  const { initial, factor } = options
  return {
    at: (step) => initial * factor ** step,
    check: checked("LearningRate.exponential", { initial, factor }, { initial: isRate, factor: isRate })
  }
}

/**
 * `rate(t) = from + (to - from) * min(t / steps, 1)`: a straight line, then `to`.
 *
 * @category constructors
 * @since 0.3.0
 */
export const linear = (options: {
  readonly from: number
  readonly to: number
  readonly steps: number
}): LearningRate => {
  const { from, to, steps } = options
  return {
    at: (step) => from + (to - from) * Math.min(step / steps, 1),
    check: checked("LearningRate.linear", { from, to, steps }, { from: isRate, to: isRate, steps: isCount })
  }
}

/**
 * `rate(t) = to + (from - to) * (1 + cos(pi * min(t / steps, 1))) / 2`: half a cosine, then `to`, which is 0 unless told otherwise.
 * Source: Loshchilov, Hutter 2017, arXiv:1608.03983; PyTorch's `CosineAnnealingLR` up to `steps`.
 *
 * @category constructors
 * @since 0.3.0
 */
export const cosine = (options: {
  readonly from: number
  readonly to?: number
  readonly steps: number
}): LearningRate => {
  const { from, to = 0, steps } = options
  return {
    at: (step) => to + ((from - to) * (1 + Math.cos(Math.PI * Math.min(step / steps, 1)))) / 2,
    check: checked("LearningRate.cosine", { from, to, steps }, { from: isRate, to: isRate, steps: isCount })
  }
}

/** The learning rate of a number: the same for all steps. */
export const of = (rate: Rate): LearningRate => (typeof rate === "number" ? constant(rate) : rate)

// ---- composing ----------------------------------------------------------------------------------------------

/**
 * `rate(t) = self(t) * factor`.
 *
 * @category composing
 * @since 0.3.0
 */
export const scaled: {
  (factor: number): (self: LearningRate) => LearningRate
  (self: LearningRate, factor: number): LearningRate
} = dual(
  2,
  (self: LearningRate, factor: number): LearningRate => ({
    at: (step) => self.at(step) * factor,
    check: self.check ?? checked("LearningRate.scaled", { factor }, { factor: isRate })
  })
)

/**
 * One after the other: `self` for the first `steps` steps, then `that`, which begins to count at 0.
 *
 * @category composing
 * @since 0.3.0
 */
export const followedBy: {
  (that: LearningRate, steps: number): (self: LearningRate) => LearningRate
  (self: LearningRate, that: LearningRate, steps: number): LearningRate
} = dual(
  3,
  (self: LearningRate, that: LearningRate, steps: number): LearningRate => ({
    at: (step) => (step < steps ? self.at(step) : that.at(step - steps)),
    check: self.check ?? that.check ?? checked("LearningRate.followedBy", { steps }, { steps: isStep })
  })
)

/**
 * `self`, but for the first `steps` steps a straight line from 0 up to where `self` begins: `rate(t) = self(0) * (t + 1) / (steps + 1)`
 * for `t < steps`, then `self(t - steps)`. No step has the rate 0.
 *
 * @category composing
 * @since 0.3.0
 */
export const warmUp: {
  (steps: number): (self: LearningRate) => LearningRate
  (self: LearningRate, steps: number): LearningRate
} = dual(
  2,
  (self: LearningRate, steps: number): LearningRate => ({
    at: (step) => (step < steps ? (self.at(0) * (step + 1)) / (steps + 1) : self.at(step - steps)),
    check: self.check ?? checked("LearningRate.warmUp", { steps }, { steps: isStep })
  })
)
