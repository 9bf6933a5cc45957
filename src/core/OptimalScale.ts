/**
 * Statistics that answer the very best scale, and zero-point: no other one has a smaller squared error. They stand where `AbsMax`
 * and `NegativeMinOrZero` do.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./Brick.ts`, `./Search.ts`, `./Statistic.ts` and their parts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Levels from "../op/Levels.ts"
import * as Optimal from "../op/Optimal.ts"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Slices from "../tensor/Slices.ts"
import * as Brick from "./Brick.ts"
import type { FloatScaling } from "./FloatScaling.ts"
import type { IntScaling } from "./IntScaling.ts"
import * as Search from "./Search.ts"
import * as Statistic from "./Statistic.ts"
import * as View from "./View.ts"

// ---- slices -------------------------------------------------------------------------------------------------

/** One number for each slice, from its elements. */
const perSlice = (slices: Slices.Slices, f: (elements: Float32Array, slice: number) => number): Float64Array =>
  Slices.fold(slices, (data, start, _, step, slice) => {
    const elements = new Float32Array(slices.length)
    for (let j = 0; j < elements.length; j++) elements[j] = data[start + j * step] as number
    return f(elements, slice)
  })

/** A statistic that is the best scale of each slice, times the value that the scaling maps its threshold to. */
const threshold = (
  label: string,
  reduction: Slices.Reduction,
  mappedTo: () => tf.Tensor,
  best: (elements: Float32Array) => number
): Statistic.Statistic =>
  Statistic.make(label, (x) =>
    Gradient.withoutGradient(() => {
      const slices = Slices.of(x, reduction)
      const target = Host.floats(mappedTo())[0] as number
      return Slices.tensor(
        slices,
        perSlice(slices, (elements) => best(elements) * target)
      )
    })
  )

// ---- integers -----------------------------------------------------------------------------------------------

const integers = {
  signed: Injector.required<boolean>(),
  narrowRange: Injector.required<boolean>(),
  bitWidth: Injector.required<number>(),
  ...Statistic.reduction
}

const rangeOf = (
  what: string,
  given: { readonly bitWidth: number; readonly signed: boolean; readonly narrowRange: boolean },
  most: number
): Levels.Range => {
  const { bitWidth } = given
  const range = Levels.rangeOf(bitWidth, given)
  if (!(Number.isInteger(bitWidth) && bitWidth <= most && range.high > range.low))
    throw new InvalidOptions({
      what,
      option: "bitWidth",
      reason: `must be whole, at most ${most}, and have two values or more, not ${bitWidth}`
    })
  return range
}

/**
 * The threshold whose scale has the smallest squared error of all scales, for integers around the zero-point 0.
 *
 * - formula:  `T * argmin over s of sum (x - s * clamp(round(x / s), min, max))^2`, T the value of `intScalingImpl`
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: none
 * - errors:   `ConstructionFailed` for a bit-width that is not whole or beyond 16; NaN for a slice with what is not finite, 0 for
 *   one of zeros. A scale that is restricted to powers of two, or held at a minimum, is not the best of those
 * - source:   `Optimal.scale`
 *
 * @since 0.2.0
 */
export const OptimalScale = Injector.component(
  "OptimalScale",
  { ...integers, intScalingImpl: Injector.required<IntScaling>() },
  ({ intScalingImpl, ...given }): Statistic.Statistic => {
    const levels = Levels.integers(rangeOf("OptimalScale", given, 16))
    const mappedTo = (): tf.Tensor => intScalingImpl.apply(tf.scalar(given.bitWidth))
    const reduction = Statistic.over("OptimalScale", given)
    return threshold("OptimalScale", reduction, mappedTo, (elements) => Optimal.scale(elements, levels).scale)
  }
)

/**
 * The threshold whose scale has the smallest squared error together with some integer zero-point. `OptimalZeroPoint` finds that
 * zero-point.
 *
 * - formula:  `T * argmin over s, z of sum (x - s * (clamp(round(x / s) + z, min, max) - z))^2`, z an integer of the range
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: none
 * - errors:   as `OptimalScale`, for bit-widths beyond 10
 * - source:   `Optimal.scaleAndZeroPoint`
 *
 * @since 0.2.0
 */
export const OptimalAsymmetricScale = Injector.component(
  "OptimalAsymmetricScale",
  { ...integers, intScalingImpl: Injector.required<IntScaling>() },
  ({ intScalingImpl, ...given }): Statistic.Statistic => {
    const range = rangeOf("OptimalAsymmetricScale", given, 10)
    const mappedTo = (): tf.Tensor => intScalingImpl.apply(tf.scalar(given.bitWidth))
    const best = (elements: Float32Array): number => Optimal.scaleAndZeroPoint(elements, range).scale
    return threshold("OptimalAsymmetricScale", Statistic.over("OptimalAsymmetricScale", given), mappedTo, best)
  }
)

/**
 * The lowest value of the integer zero-point with the smallest squared error at the scale as it is, whichever that may be.
 *
 * - formula:  `s * (min - z)`, `z = argmin of sum (x - s * (clamp(round(x / s) + z, min, max) - z))^2`, an integer of the range
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: none
 * - errors:   as `OptimalAsymmetricScale`; without a quantizer, or while another statistic searches, it is `NegativeMinOrZero`
 * - source:   `Optimal.zeroPoint`
 *
 * @since 0.2.0
 */
export const OptimalZeroPoint = Brick.component(
  "OptimalZeroPoint",
  {
    ...integers,
    /** lays the tensor out as slices */
    zeroPointStatsInputViewShapeImpl: Injector.optional<View.View>(View.identity),
    /** the same, where it is not that of the other statistics */
    optimalInputViewShapeImpl: Injector.optional<View.View | undefined>(undefined)
  },
  (given): Statistic.Statistic => {
    const view = given.optimalInputViewShapeImpl ?? given.zeroPointStatsInputViewShapeImpl
    const range = rangeOf("OptimalZeroPoint", given, 10)
    const { axis } = Statistic.over("OptimalZeroPoint", given)
    const initOp = Statistic.NegativeMinOrZero(given)
    const search = ({ x, init, attempt }: Search.Task): Search.Found => {
      const { scale } = attempt(init)
      const scales = Host.floats(scale.size === 1 ? scale : Search.viewed({ view, axis }, x, scale))
      const lowest = perSlice(Slices.of(view.apply(x), { axis }), (elements, slice) => {
        const s = scales[scales.length === 1 ? 0 : slice] as number
        return s * (range.low - Optimal.zeroPoint(elements, s, range))
      })
      return { best: Float32Array.from(lowest) }
    }
    return Search.ofZeroPoint({
      label: "OptimalZeroPoint",
      children: { initOp, inputViewShapeImpl: Search.shownAs(view) },
      initName: "initOp",
      initOp,
      view,
      axis,
      search
    })
  }
)

// ---- minifloats ---------------------------------------------------------------------------------------------

/** The smallest scale at which nothing is beyond the largest value, by a margin for what is rounded to float32. */
const withoutOverflow = (elements: Float32Array, { values }: Levels.Levels): number => {
  const [top, next] = [values.at(-1) as number, values.at(-2) as number]
  const largest = elements.reduce((max, v) => Math.max(max, Math.abs(v)), 0)
  return (largest / (top + (top - next) / 2)) * (1 + 2 ** -20)
}

/**
 * The threshold whose scale has the smallest squared error of all scales, for minifloats.
 *
 * - formula:  `T * argmin over s of sum (x - s * nearest(x / s))^2`, T the value of `floatScalingImpl`, or 1; without saturation only
 *   scales at which nothing overflows
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: none
 * - errors:   `ConstructionFailed` for formats of more than 12 bits; NaN for a slice with what is not finite, 0 for one of zeros. A
 *   scale that is restricted to powers of two, or held at a minimum, is not the best of those
 * - source:   `Optimal.scale`
 *
 * @since 0.2.0
 */
export const OptimalScaleMinifloat = Injector.component(
  "OptimalScaleMinifloat",
  {
    exponentBitWidth: Injector.required<number>(),
    mantissaBitWidth: Injector.required<number>(),
    exponentBias: Injector.required<number>(),
    signed: Injector.required<boolean>(),
    /** the largest value that reserved codes leave; absent: all codes are numbers */
    maxAvailableFloat: Injector.optional<number | undefined>(undefined),
    saturating: Injector.optional(true),
    /** absent: the scale has no threshold */
    floatScalingImpl: Injector.optional<FloatScaling | undefined>(undefined),
    ...Statistic.reduction
  },
  ({ floatScalingImpl, signed, maxAvailableFloat: max, saturating, ...given }): Statistic.Statistic => {
    const { exponentBitWidth, mantissaBitWidth, exponentBias } = given
    const format = { exponentBitWidth, mantissaBitWidth, exponentBias }
    const bits = exponentBitWidth + mantissaBitWidth
    if (!(Number.isInteger(exponentBitWidth) && Number.isInteger(mantissaBitWidth) && bits >= 1 && bits <= 11))
      throw new InvalidOptions({
        what: "OptimalScaleMinifloat",
        option: "exponentBitWidth",
        reason: `and mantissaBitWidth must be whole, with 1 to 11 bits together, not ${exponentBitWidth} and ${mantissaBitWidth}`
      })
    const levels = Levels.minifloats(format, { signed, max })
    const mappedTo = (): tf.Tensor => floatScalingImpl?.apply(format) ?? tf.scalar(1)
    const best = (elements: Float32Array): number =>
      Optimal.scale(elements, levels, saturating ? 0 : withoutOverflow(elements, levels)).scale
    return threshold("OptimalScaleMinifloat", Statistic.over("OptimalScaleMinifloat", given), mappedTo, best)
  }
)
