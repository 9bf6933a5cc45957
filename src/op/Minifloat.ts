/**
 * Minifloats: the constants of a format, its grid, and what lies beyond its largest value.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`, `./PowerOfTwo.ts`, `./Round.ts`. Laws: test/op/Minifloat.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Float32 from "../tensor/Float32.ts"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"
import { exp2 } from "./PowerOfTwo.ts"
import * as Round from "./Round.ts"

/** How many bits exponent and mantissa have, and the exponent field that means 1. */
export interface Format {
  readonly exponentBitWidth: number
  readonly mantissaBitWidth: number
  readonly exponentBias: number
}

/** Mantissa codes that are not numbers at the largest exponent, such as "111". */
export interface Reserved {
  readonly infValues?: ReadonlyArray<string> | undefined
  readonly nanValues?: ReadonlyArray<string> | undefined
}

// ---- constants of a format ----------------------------------------------------------------------------------

/**
 * The exponent bias of a family of formats.
 *
 * - formula:  `ocp: 2^(e-1) - 1; fnuz: 2^(e-1)`
 * - shapes:   numbers
 * - gradient: none
 * - errors:   none
 * - source:   OCP 8-bit floating point specification 1.0; Noune et al. 2022, arXiv:2206.02915
 *
 * @category minifloat
 * @since 0.2.0
 */
export const biasOf = (exponentBitWidth: number, family: "ocp" | "fnuz" = "ocp"): number =>
  Float32.exp2(exponentBitWidth - 1) - (family === "ocp" ? 1 : 0)

/**
 * The codes that the OCP formats reserve: of 8 bits, e4m3 one for NaN, e5m2 one for infinity and three for NaN; others none.
 *
 * - formula:  `e4m3: NaN 111; e5m2: infinity 00, NaN 01, 11, 10`
 * - shapes:   numbers
 * - gradient: none
 * - errors:   none
 * - source:   OCP 8-bit floating point specification 1.0
 *
 * @category minifloat
 * @since 0.2.0
 */
export const ocpReserved = (bitWidth: number, exponentBitWidth: number, mantissaBitWidth: number): Reserved => {
  if (bitWidth === 8 && exponentBitWidth === 4 && mantissaBitWidth === 3) return { nanValues: ["111"] }
  if (bitWidth === 8 && exponentBitWidth === 5 && mantissaBitWidth === 2)
    return { infValues: ["00"], nanValues: ["01", "11", "10"] }
  return {}
}

/**
 * The largest mantissa, with the leading one.
 *
 * - formula:  `2 - 2^-m`, the sum of `2^-i` for i = 0 ... m
 * - shapes:   numbers
 * - gradient: none
 * - errors:   none
 * - source:   Brevitas, function/ops.py (compute_max_mantissa)
 *
 * @category minifloat
 * @since 0.2.0
 */
export const maxMantissa = (mantissaBitWidth: number): number => 2 - Float32.exp2(-mantissaBitWidth)

/**
 * The largest value if all codes are numbers.
 *
 * - formula:  `M * 2^(2^e - 1 - bias)`, M the largest mantissa
 * - shapes:   `e, M, bias broadcast to [...d] -> y [...d]`
 * - gradient: `dM = dy * y / M`, `dbias = -dy * y * ln 2`, `de = dy * y * ln(2)^2 * 2^e`
 * - errors:   none; infinity where it is beyond float32
 * - source:   Brevitas, function/ops.py (max_float)
 *
 * @category minifloat
 * @since 0.2.0
 */
export const maxFloat = (exponentBitWidth: tf.Tensor, mantissa: tf.Tensor, exponentBias: tf.Tensor): tf.Tensor =>
  tf.mul(mantissa, exp2(tf.sub(tf.sub(exp2(exponentBitWidth), 1), exponentBias)))

/**
 * The value of a code.
 *
 * - formula:  `2^(1-bias) * 0.mantissa` if the exponent field is 0, else `2^(field-bias) * 1.mantissa`
 * - shapes:   strings of bits, the most significant first -> a number
 * - gradient: none
 * - errors:   none
 * - source:   IEEE 754; Brevitas, utils/float_quant_utils.py (get_minifloat_value)
 *
 * @category minifloat
 * @since 0.2.0
 */
export const codeValue = (exponentBits: string, mantissaBits: string, exponentBias: number): number => {
  const field = Number.parseInt(exponentBits, 2)
  const fraction = mantissaBits === "" ? 0 : Number.parseInt(mantissaBits, 2) * Float32.exp2(-mantissaBits.length)
  return field === 0 ? Float32.exp2(1 - exponentBias) * fraction : Float32.exp2(field - exponentBias) * (1 + fraction)
}

/**
 * The largest finite value that the reserved codes leave: one code below the smallest of them.
 *
 * - formula:  smallest reserved code c: `c > 0: 2^(2^e-1-bias) * 1.(c-1); c = 0: 2^(2^e-2-bias) * 1.1...1`; none: `maxFloat`
 * - shapes:   numbers
 * - gradient: none
 * - errors:   none
 * - source:   Brevitas, utils/float_quant_utils.py (get_max_available_float)
 *
 * @category minifloat
 * @since 0.2.0
 */
export const maxAvailableFloat = (format: Format & Reserved): number => {
  const { exponentBitWidth: e, mantissaBitWidth: m, exponentBias, infValues = [], nanValues = [] } = format
  const lowest = Math.min(...[...infValues, ...nanValues].map((code) => Number.parseInt(code, 2)))
  const bitsOf = (code: number): string => (m === 0 ? "" : code.toString(2).padStart(m, "0"))
  const full = "1".repeat(m)
  return lowest === 0
    ? codeValue(`${"1".repeat(e - 1)}0`, full, exponentBias)
    : codeValue("1".repeat(e), Number.isFinite(lowest) ? bitsOf(lowest - 1) : full, exponentBias)
}

/**
 * The smallest positive value.
 *
 * - formula:  `2^(1 - bias - m)`
 * - shapes:   numbers
 * - gradient: none
 * - errors:   none
 * - source:   Brevitas, utils/float_quant_utils.py (get_min_available_float)
 *
 * @category minifloat
 * @since 0.2.0
 */
export const minAvailableFloat = (format: Format): number => Float32.exp2(minExponent(format))

/**
 * The exponent of the smallest step of the grid, that of the subnormals.
 *
 * - formula:  `1 - bias - m`
 * - shapes:   numbers
 * - gradient: none
 * - errors:   none
 * - source:   Brevitas, core/quant/float.py (fp_internal_scale_min)
 *
 * @category minifloat
 * @since 0.2.0
 */
export const minExponent = ({ mantissaBitWidth, exponentBias }: Omit<Format, "exponentBitWidth">): number =>
  1 - exponentBias - mantissaBitWidth

// ---- the grid -----------------------------------------------------------------------------------------------

/** The smallest normal float32: keeps the logarithm of 0 finite. */
const epsilon = Float32.exp2(-126)

/** Writes `v = |x| + eps` into `to`, as float32, and answers its bits. */
const magnitudes = (from: Float32Array, to: Float32Array): Int32Array => {
  for (let i = 0; i < from.length; i++) to[i] = Math.abs(from[i] as number) + epsilon
  return new Int32Array(to.buffer, to.byteOffset, to.length)
}

/**
 * The step of the grid at a value: how far its neighbours are in the format.
 *
 * - formula:  `w = 2^max(floor(log2(|x| + eps)) - m, min)`, `eps = 2^-126`, found by the exponent bits
 * - shapes:   `x [...d] -> w [...d]`
 * - gradient: `dx = dy * w * sign(x) / (|x| + eps)` (floor straight-through) where `floor(log2(|x| + eps)) - m >= min`, else 0
 * - errors:   none; NaN for NaN, infinity for infinities
 * - source:   Brevitas, utils/torch_utils.py (float_internal_scale)
 *
 * @category minifloat
 * @since 0.2.0
 */
export const internalScale = (x: tf.Tensor, mantissaBitWidth: number, min: number): tf.Tensor => {
  const steps = Float32Array.from({ length: 256 }, (_, k) => Float32.exp2(Math.max(k - 127 - mantissaBitWidth, min)))
  return Gradient.customGradient((x: tf.Tensor) => ({
    value: Host.transform(x, (from, to) => {
      const bits = magnitudes(from, to)
      for (let i = 0; i < to.length; i++) {
        const v = to[i] as number
        if (v < Number.POSITIVE_INFINITY) to[i] = steps[127 + Float32.floorLog2(v, bits[i] as number)] as number
      }
    }),
    saved: [x],
    gradient: (dy, [input]: readonly [tf.Tensor]) => [
      tf.mul(
        dy,
        Host.transform(input, (from, to) => {
          const bits = magnitudes(from, to)
          for (let i = 0; i < to.length; i++) {
            const v = to[i] as number
            const exponent = Float32.floorLog2(v, bits[i] as number)
            if (!(v < Number.POSITIVE_INFINITY)) to[i] = Number.NaN
            else if (exponent - mantissaBitWidth < min) to[i] = 0
            else to[i] = ((steps[127 + exponent] as number) / v) * Math.sign(from[i] as number)
          }
        })
      )
    ]
  }))(x)
}

/**
 * Rounds to the grid of a format, without its largest value.
 *
 * - formula:  `y = w * rne(x / w)`, w the step of the grid at x
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy * y / x` in the normal range, `dy` among the subnormals: the step depends on x
 * - errors:   none; NaN for NaN and infinities
 * - source:   Brevitas, core/quant/float.py
 *
 * @category minifloat
 * @since 0.2.0
 */
export const nearest = (x: tf.Tensor, format: Omit<Format, "exponentBitWidth">): tf.Tensor => {
  const w = internalScale(x, format.mantissaBitWidth, minExponent(format))
  return tf.mul(w, Round.nearest(tf.div(x, w)))
}

/**
 * What a format without saturation makes of values beyond its range.
 *
 * - formula:  `z = clamped where low <= y <= high, else inf or -inf (if the format has infinities), or NaN`
 * - shapes:   `clamped, y [...d], low, high broadcast to [...d] -> z [...d]`
 * - gradient: `dclamped = dz` within the range, else 0; none to y, low and high
 * - errors:   none; NaN passes
 * - source:   Brevitas, core/function_wrapper/clamp.py (FloatClamp)
 *
 * @category minifloat
 * @since 0.2.0
 */
export const overflowing = (
  clamped: tf.Tensor,
  y: tf.Tensor,
  [low, high]: readonly [tf.Tensor, tf.Tensor],
  infinite: boolean
): tf.Tensor =>
  Gradient.customGradient((clamped: tf.Tensor) => {
    const [over, under] = [tf.greater(y, high), tf.less(y, low)]
    const outside = (sign: number): tf.Tensor =>
      tf.fill(clamped.shape, infinite ? sign * Number.POSITIVE_INFINITY : Number.NaN)
    return {
      value: tf.where(over, outside(1), tf.where(under, outside(-1), clamped)),
      saved: [tf.logicalOr(over, under)],
      gradient: (dz, [beyond]: readonly [tf.Tensor]) => [tf.where(beyond, tf.zerosLike(dz), dz)]
    }
  })(clamped)
