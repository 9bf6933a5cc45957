/**
 * The largest value of a minifloat format: what the threshold of a scale is mapped to, and where values are held.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./Brick.ts`, `./Clamp.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Minifloat from "../op/Minifloat.ts"
import { InvalidOptions } from "../tensor/Errors.ts"
import * as Brick from "./Brick.ts"
import type { Clamp } from "./Clamp.ts"

/** Answers the value that the threshold of a scale is mapped to. */
export type FloatScaling = Brick.Stateless<readonly [format: Minifloat.Format], tf.Tensor>

/** Holds values of a format within its range. */
export interface FloatClamp extends Brick.Stateless<readonly [y: tf.Tensor, format: Minifloat.Format], tf.Tensor> {
  readonly saturating: boolean
  readonly infValues: ReadonlyArray<string> | undefined
  readonly nanValues: ReadonlyArray<string> | undefined
}

/** `max_available_float`: the largest value that reserved codes leave; absent: all codes are numbers. */
const available = { maxAvailableFloat: Injector.optional<number | undefined>(undefined) }

const checkedAvailable = (what: string, max: number | undefined): Readonly<Record<string, Brick.Brick>> => {
  if (max === undefined) return {}
  if (!(max > 0))
    throw new InvalidOptions({ what, option: "maxAvailableFloat", reason: `is ${max}: it must be positive` })
  return { maxAvailableFloat: Brick.shown("StatelessBuffer") }
}

/** The largest value of a format: with all of its codes, or the available one if that is smaller. */
const largest = (format: Minifloat.Format, max: number = Number.POSITIVE_INFINITY): tf.Tensor => {
  const { exponentBitWidth, mantissaBitWidth, exponentBias } = format
  const mantissa = tf.scalar(Minifloat.maxMantissa(mantissaBitWidth))
  return tf.minimum(Minifloat.maxFloat(tf.scalar(exponentBitWidth), mantissa, tf.scalar(exponentBias)), max)
}

/**
 * The largest value of a minifloat format.
 *
 * - formula:  `y = min(maxFloat, maxAvailableFloat)`
 * - shapes:   `-> y []`
 * - gradient: none
 * - errors:   `ConstructionFailed` if `maxAvailableFloat` is not positive
 * - source:   Brevitas, core/scaling/float_scaling.py
 *
 * @since 0.2.0
 */
export const FloatScaling = Injector.component(
  "FloatScaling",
  available,
  ({ maxAvailableFloat: max }): FloatScaling => {
    const apply = (format: Minifloat.Format): tf.Tensor => largest(format, max)
    return Brick.make("FloatScaling", checkedAvailable("FloatScaling", max), {}, { apply })
  }
)

const checkedCodes = (option: string, codes: ReadonlyArray<string> | undefined): void => {
  const wrong = codes?.find((code) => !/^[01]+$/.test(code))
  if (wrong !== undefined)
    throw new InvalidOptions({ what: "FloatClamp", option, reason: `has "${wrong}": a code is written in bits` })
}

/**
 * Holds values within the range of a minifloat format; without saturation what is beyond becomes infinite or NaN.
 *
 * - formula:  `y = clamp(x, -L, L)`, L the largest value (the lower bound of an unsigned format is 0); not saturating: beyond the
 *   bounds `inf` or `-inf` if the format has codes for them, else NaN
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: by the clamp; 0 where the value became infinite or NaN
 * - errors:   `ConstructionFailed` for codes that are no bits, and without saturation if there is no code for what is beyond
 * - source:   Brevitas, core/function_wrapper/clamp.py (FloatClamp)
 *
 * @since 0.2.0
 */
export const FloatClamp = Injector.component(
  "FloatClamp",
  {
    tensorClampImpl: Injector.required<Clamp>(),
    signed: Injector.required<boolean>(),
    infValues: Injector.optional<ReadonlyArray<string> | undefined>(undefined),
    nanValues: Injector.optional<ReadonlyArray<string> | undefined>(undefined),
    ...available,
    saturating: Injector.optional(true)
  },
  ({ tensorClampImpl, signed, infValues, nanValues, maxAvailableFloat: max, saturating }): FloatClamp => {
    checkedCodes("infValues", infValues)
    checkedCodes("nanValues", nanValues)
    if (!saturating && infValues === undefined && nanValues === undefined)
      throw new InvalidOptions({
        what: "FloatClamp",
        option: "saturating",
        reason: "is false: values beyond the largest one need codes, infValues or nanValues"
      })
    const children = { tensorClampImpl, ...checkedAvailable("FloatClamp", max) }
    const apply = (y: tf.Tensor, format: Minifloat.Format): tf.Tensor => {
      const high = largest(format, max)
      const low = signed ? tf.neg(high) : tf.scalar(0)
      const clamped = tensorClampImpl.apply(y, low, high)
      return saturating ? clamped : Minifloat.overflowing(clamped, y, [low, high], infValues !== undefined)
    }
    return Brick.make("FloatClamp", children, {}, { apply, saturating, infValues, nanValues })
  }
)
