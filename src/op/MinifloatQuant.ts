/**
 * Fused minifloat quantization: to the values of a format times a scale, in one pass over memory, and one for both gradients.
 *
 * Where the backend has breve's kernels (`backend/Kernels.ts`) and they know shapes and format; elsewhere the composition of the
 * other ops, which is the definition.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`, and its own room. Laws: test/op/MinifloatQuant.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Clamp from "./Clamp.ts"
import type { Rounding } from "./FakeQuant.ts"
import { type Layout, layoutOf } from "./Layout.ts"
import * as Minifloat from "./Minifloat.ts"
import * as Round from "./Round.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** The roundings that are known to the kernels, in the order of their numbers there. */
const roundings: ReadonlyArray<Rounding> = ["nearest", "floor", "ceil", "toZero"]

/** What becomes of values beyond the largest one: it, infinity, or NaN; in the order of their numbers in the kernels. */
const overflows = ["saturate", "infinite", "nan"] as const

/** What becomes of values beyond the largest one. */
export type Overflow = (typeof overflows)[number]

/** The range of a format, and what lies beyond it. */
export interface Range {
  readonly low: number
  readonly high: number
  readonly overflow: Overflow
  /** whether the clamp has the gradient of the identity */
  readonly clampPasses: boolean
}

/** How floats become minifloats, apart from the scale. */
export interface Options extends Range {
  readonly rounding: Rounding
  readonly format: Omit<Minifloat.Format, "exponentBitWidth">
}

const rounds = { nearest: Round.nearest, floor: Round.floor, ceil: Round.ceil, toZero: Round.toZero }

// ---- what the kernels can do --------------------------------------------------------------------------------

/** The exponent of a number's bits. */
const exponentBits = (exponent: number): number => exponent << 23

/**
 * Formats whose smallest normal number and largest one are far from the ends of float32: no step of theirs, no product and no
 * reciprocal leaves it, and what keeps the logarithm of 0 finite does not matter.
 */
const known = ({ format, low, high }: Options): boolean => {
  const { mantissaBitWidth: m } = format
  const least = Minifloat.minExponent(format) + m
  return m <= 14 && Math.abs(least) <= 60 && high > 0 && high <= 2 ** 60 && (low === 0 || low === -high)
}

const fusable = (x: tf.Tensor, scale: tf.Tensor, options: Options): Layout | undefined =>
  tf.getKernel("BreveLevels", tf.getBackend()) === undefined ||
  x.dtype !== "float32" ||
  scale.dtype !== "float32" ||
  !known(options)
    ? undefined
    : layoutOf(x.shape, scale.shape, [])

// ---- operations ---------------------------------------------------------------------------------------------

/**
 * The definition, in other ops.
 *
 * - formula:  `u = x / scale`, `y = clamp(w * round(u / w), low, high) * scale`, w the step of the grid at u
 * - shapes:   `x, scale broadcast to [...d] -> y [...d]`
 * - gradient: of each op: rounding straight-through, the clamp by selection or straight-through
 * - errors:   none; NaN for NaN and infinities
 * - source:   Micikevicius et al. 2022, arXiv:2209.05433; Brevitas, core/quant/float.py
 *
 * @category minifloat
 * @since 0.3.0
 */
export const composition = (x: tf.Tensor, scale: tf.Tensor, { rounding, format, ...range }: Options): tf.Tensor => {
  const u = tf.div(x, scale)
  const w = Minifloat.internalScale(u, format.mantissaBitWidth, Minifloat.minExponent(format))
  const y = tf.mul(w, rounds[rounding](tf.div(u, w)))
  const [low, high] = [tf.scalar(range.low), tf.scalar(range.high)]
  const clamped = (range.clampPasses ? Clamp.betweenStraightThrough : Clamp.between)(y, low, high)
  const held =
    range.overflow === "saturate"
      ? clamped
      : Minifloat.overflowing(clamped, y, [low, high], range.overflow === "infinite")
  return tf.mul(held, scale)
}

const fused = (x: tf.Tensor, scale: tf.Tensor, layout: Layout, options: Options): tf.Tensor => {
  const { format, rounding, low, high, overflow, clampPasses } = options
  const { mantissaBitWidth: m } = format
  const attrs = {
    ...layout,
    least: exponentBits(Minifloat.minExponent(format) + m + 127),
    down: exponentBits(m),
    low,
    high,
    kind: roundings.indexOf(rounding),
    overflow: overflows.indexOf(overflow),
    passes: clampPasses ? 1 : 0
  }
  const run = (name: string, given: tf.NamedTensorMap): unknown => tf.engine().runKernel(name, given, attrs)
  return Gradient.customGradient((x: tf.Tensor, scale: tf.Tensor) => ({
    value: run("BreveLevels", { x, scale }) as tf.Tensor,
    saved: [x, scale],
    gradient: (dy, [x, scale]: readonly [tf.Tensor, tf.Tensor]) =>
      run("BreveLevelsGrad", { x, scale, dy }) as [tf.Tensor, tf.Tensor]
  }))(x, scale)
}

/**
 * Quantizes to a minifloat format times a scale, fused where the backend can: with one scale for all, for each channel on any
 * axis, or for each group.
 *
 * - formula:  `u = x / scale`, `y = clamp(w * round(u / w), low, high) * scale`, w the step of the grid at u
 * - shapes:   `x, scale broadcast to [...d] -> y [...d]`
 * - gradient: as `composition`: `dx` to the bit; the sum for the scale in double precision
 * - errors:   none; NaN for NaN and infinities
 * - source:   Micikevicius et al. 2022, arXiv:2209.05433; OCP Microscaling Formats (MX) Specification 1.0
 *
 * @category minifloat
 * @since 0.3.0
 */
export const quantize = (x: tf.Tensor, scale: tf.Tensor, options: Options): tf.Tensor => {
  const layout = fusable(x, scale, options)
  return layout === undefined ? composition(x, scale, options) : fused(x, scale, layout, options)
}
