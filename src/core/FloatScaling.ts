/**
 * The largest value of a minifloat format: what the threshold of a scale is mapped to, and where values are held.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./Brick.ts`, `./Clamp.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Minifloat from "../op/Minifloat.ts"
import type * as MinifloatQuant from "../op/MinifloatQuant.ts"
import * as Constant from "../tensor/Constant.ts"
import * as Float32 from "../tensor/Float32.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Brick from "./Brick.ts"
import type { Clamp } from "./Clamp.ts"

/** Answers the value that the threshold of a scale is mapped to. */
export type FloatScaling = Brick.Stateless<readonly [format: Minifloat.Format], tf.Tensor>

/** Holds values of a format within its range. */
export interface FloatClamp extends Brick.Stateless<readonly [y: tf.Tensor, format: Minifloat.Format], tf.Tensor> {
  readonly saturating: boolean
  readonly infValues: ReadonlyArray<string> | undefined
  readonly nanValues: ReadonlyArray<string> | undefined
  /** the same as numbers, of a clamp that is fused with what stands around it; absent: it is not */
  readonly range?: ((format: Minifloat.Format) => MinifloatQuant.Range) | undefined
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
const largest = (format: Minifloat.Format, max: number = Number.POSITIVE_INFINITY): number => {
  const { fround } = Math
  const { exponentBitWidth, mantissaBitWidth, exponentBias } = format
  // each step rounded to float32, as `Minifloat.maxFloat` is
  const exponent = fround(fround(fround(Float32.exp2(exponentBitWidth)) - 1) - exponentBias)
  const whole = fround(fround(Minifloat.maxMantissa(mantissaBitWidth)) * fround(Float32.exp2(exponent)))
  return Math.min(whole, fround(max))
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
    const apply = (format: Minifloat.Format): tf.Tensor => Constant.scalar(largest(format, max))
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
    const { passes } = tensorClampImpl
    const rangeOf = (format: Minifloat.Format) => {
      const high = largest(format, max)
      return { high, low: signed ? -high : 0 }
    }
    const overflow = saturating ? "saturate" : infValues !== undefined ? "infinite" : "nan"
    const apply = (y: tf.Tensor, format: Minifloat.Format): tf.Tensor => {
      const range = rangeOf(format)
      const [low, high] = [tf.scalar(range.low), tf.scalar(range.high)]
      const clamped = tensorClampImpl.apply(y, low, high)
      return saturating ? clamped : Minifloat.overflowing(clamped, y, [low, high], infValues !== undefined)
    }
    const range =
      passes === undefined
        ? undefined
        : (format: Minifloat.Format): MinifloatQuant.Range => ({ ...rangeOf(format), overflow, clampPasses: passes })
    return Brick.make("FloatClamp", children, {}, { apply, range, saturating, infValues, nanValues })
  }
)
