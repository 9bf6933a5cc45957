/**
 * Minifloat quantization.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./Brick.ts` and the bricks it is made of.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Minifloat from "../op/Minifloat.ts"
import * as MinifloatQuant from "../op/MinifloatQuant.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Brick from "./Brick.ts"
import type { FloatClamp, FloatScaling } from "./FloatScaling.ts"
import { type Rounding, RoundSte } from "./Rounding.ts"
import { ConstScaling, type Scaling } from "./Scaling.ts"
import { type FloatFormat, merged, type Quantized, searching, type TensorQuantizer } from "./TensorQuantizer.ts"
import * as View from "./View.ts"

const invalid = (option: string, reason: string): never => {
  throw new InvalidOptions({ what: "FloatQuant", option, reason })
}

interface Widths extends Minifloat.Format {
  readonly bitWidth: number
  readonly signed: boolean
}

/** A format must have a whole number of bits for each part, and as many as they are together. */
const checked = ({ bitWidth, signed, ...format }: Widths, clamp: FloatClamp): Minifloat.Format => {
  const { exponentBitWidth, mantissaBitWidth, exponentBias } = format
  const whole = (option: string, width: number, least: number): void => {
    if (!Number.isInteger(width) || width < least || width > 32)
      invalid(option, `is ${width}: it must be a whole number from ${least} to 32`)
  }
  whole("bitWidth", bitWidth, 1)
  whole("exponentBitWidth", exponentBitWidth, 1)
  whole("mantissaBitWidth", mantissaBitWidth, 0)
  if (!Number.isInteger(exponentBias)) invalid("exponentBias", `is ${exponentBias}: it must be a whole number`)
  const sum = exponentBitWidth + mantissaBitWidth + (signed ? 1 : 0)
  if (bitWidth !== sum) invalid("bitWidth", `is ${bitWidth}, but exponent, mantissa and sign have ${sum} bits together`)
  const long = [...(clamp.infValues ?? []), ...(clamp.nanValues ?? [])].find((code) => code.length > mantissaBitWidth)
  if (long !== undefined)
    invalid("nanValues", `or infValues has "${long}", but the mantissa has ${mantissaBitWidth} bits`)
  return { exponentBitWidth, mantissaBitWidth, exponentBias }
}

/** How it is printed, in this order. */
const shownAs = (
  parts: Readonly<Record<"floatToIntImpl" | "inputViewImpl" | "scalingImpl" | "floatClampImpl", Brick.Brick>>,
  floatScalingImpl: FloatScaling | undefined
): Readonly<Record<string, Brick.Brick>> => {
  const buffer = (): Brick.Brick => Brick.shown("StatelessBuffer")
  return {
    bitWidth: buffer(),
    floatToIntImpl: parts.floatToIntImpl,
    exponentBitWidth: buffer(),
    mantissaBitWidth: buffer(),
    exponentBias: buffer(),
    fpInternalScaleMin: buffer(),
    inputViewImpl: parts.inputViewImpl,
    zeroPointImpl: buffer(),
    ...(floatScalingImpl !== undefined && { floatScalingImpl }),
    scalingImpl: parts.scalingImpl,
    floatClampImpl: parts.floatClampImpl,
    preComputeMaxMantissa: buffer()
  }
}

/**
 * Minifloat quantization: each value goes to the nearest one of a format with exponent and mantissa, times a scale.
 *
 * - formula:  `u = x / scale`, `y = w(u) * round(u / w(u))` with the step `w` of the grid at u (`Minifloat.internalScale`),
 *   `value = clamp(y) * scale`; observing: `value = x`
 * - shapes:   `x [...d], scale broadcast to [...d] -> value [...d]`
 * - gradient: `dx = dvalue * y / u` in the normal range, `dvalue` among the subnormals, and by the clamp beyond the largest value;
 *   `dscale` through both the division and the product
 * - errors:   `ConstructionFailed` if exponent, mantissa and sign are not `bitWidth` bits together, or one of them cannot be;
 *   infinities and NaN in x give NaN
 * - source:   Micikevicius et al. 2022, arXiv:2209.05433; Brevitas, core/quant/float.py
 *
 * @since 0.2.0
 */
export const FloatQuant = Brick.component(
  "FloatQuant",
  {
    bitWidth: Injector.required<number>(),
    signed: Injector.required<boolean>(),
    exponentBitWidth: Injector.required<number>(),
    mantissaBitWidth: Injector.required<number>(),
    exponentBias: Injector.required<number>(),
    floatClampImpl: Injector.required<FloatClamp>(),
    inputViewImpl: Injector.optional<View.View>(View.identity),
    /** absent: the scale 1 */
    scalingImpl: Injector.optional<Scaling | undefined>(undefined),
    /** absent: the scale has no threshold */
    floatScalingImpl: Injector.optional<FloatScaling | undefined>(undefined),
    floatToIntImpl: Injector.optional<Rounding>(RoundSte({}))
  },
  ({ floatClampImpl, inputViewImpl, floatScalingImpl, floatToIntImpl, ...given }): TensorQuantizer => {
    const format = checked(given, floatClampImpl)
    const exponentMin = Minifloat.minExponent(format)
    const one = given.scalingImpl === undefined ? ConstScaling({ scalingInit: 1 }) : undefined
    const scalingImpl = given.scalingImpl ?? (one as Scaling)
    const bitWidth = tf.scalar(given.bitWidth)
    const zeroPoint = tf.scalar(0)

    const scaleOf = (state: Brick.State, x: tf.Tensor) =>
      Brick.call(scalingImpl, search.forScale(state), "scalingImpl", x, floatScalingImpl?.apply(format))
    const [rounding, range] = [floatToIntImpl.kind, floatClampImpl.range?.(format)]
    /** in one pass, where the bricks are known */
    const quantized = (state: Brick.State, x: tf.Tensor, scale: tf.Tensor): Brick.Answer<tf.Tensor> => {
      if (rounding !== undefined && range !== undefined)
        return [MinifloatQuant.quantize(x, scale, { ...range, rounding, format }), {}]
      const u = tf.div(x, scale)
      const w = Minifloat.internalScale(u, format.mantissaBitWidth, exponentMin)
      const [rounded, memory] = Brick.call(floatToIntImpl, state, "floatToIntImpl", tf.div(u, w))
      return [tf.mul(floatClampImpl.apply(tf.mul(w, rounded), format), scale), memory]
    }
    const run = (state: Brick.State, input: tf.Tensor, fixedScale?: tf.Tensor): Brick.Answer<Quantized> => {
      const [scale, afterScaling] = fixedScale === undefined ? scaleOf(state, input) : [fixedScale, {}]
      const x = inputViewImpl.apply(input)
      const [value, afterRounding] = state.observing ? [x, {}] : quantized(state, x, scale)
      const after = { scalingImpl: afterScaling, floatToIntImpl: afterRounding }
      return [{ value, scale, zeroPoint, bitWidth }, Brick.remembered(state.memory, after)]
    }
    const search = searching(run, (state, x) => scaleOf(state, x)[0])
    const float: FloatFormat = {
      ...format,
      saturating: floatClampImpl.saturating,
      infValues: floatClampImpl.infValues,
      nanValues: floatClampImpl.nanValues
    }
    return Brick.make(
      "FloatQuant",
      shownAs({ floatToIntImpl, inputViewImpl, scalingImpl, floatClampImpl }, floatScalingImpl),
      { constants: [bitWidth, zeroPoint, ...(one === undefined ? [] : Brick.ownTensors(one))] },
      {
        float,
        prepare: (state: Brick.State) => {
          const scaled = Brick.prepareChild(scalingImpl, search.forScale(state), "scalingImpl")
          return Brick.prepareChild(floatToIntImpl, scaled, "floatToIntImpl")
        },
        apply: (state: Brick.State, x: tf.Tensor) => {
          const [grouped, memory] = run(state, x)
          return [merged(grouped, inputViewImpl, x.shape), memory] as const
        }
      }
    )
  }
)
