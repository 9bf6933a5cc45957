/**
 * Fused binary and ternary quantization: signs times a scale in one pass over memory, and one for both gradients.
 *
 * Where the backend has breve's kernels (`backend/Kernels.ts`) and they know the shapes; elsewhere the composition of the other ops,
 * which is the definition.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`, and its own room. Laws: test/op/SignQuant.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Clamp from "./Clamp.ts"
import { type Layout, layoutOf } from "./Layout.ts"
import * as Sign from "./Sign.ts"

/** The kinds that are known to the kernels, in the order of their numbers there, which begin after those of roundings. */
const kinds = ["binary", "clamped", "clampPasses", "ternary"] as const

/** Signs of all, of what is clamped (with its gradient, or with that of the identity), or of what is beyond a threshold. */
type Kind = (typeof kinds)[number]

/**
 * `y`, and NaN where x is NaN: signs do not carry NaN, and what is broken must not look sound.
 *
 * - formula:  `z = x where x is NaN, else y`
 * - shapes:   `x, y [...d] -> z [...d]`
 * - gradient: `dz` to x where it is NaN, else to y
 * - errors:   none
 * - source:   IEEE 754
 *
 * @category sign
 * @since 0.3.0
 */
export const keepingNaN = (x: tf.Tensor, y: tf.Tensor): tf.Tensor => {
  const broken = Gradient.withoutGradient(() => tf.isNaN(x))
  return tf.where(broken, x, y)
}

// ---- definitions --------------------------------------------------------------------------------------------

const binaryComposition = (x: tf.Tensor, clamped: tf.Tensor, scale: tf.Tensor): tf.Tensor =>
  keepingNaN(x, tf.mul(Sign.binary(clamped), scale))

const definitions: Readonly<Record<Kind, (x: tf.Tensor, scale: tf.Tensor, threshold: number) => tf.Tensor>> = {
  binary: (x, scale) => binaryComposition(x, x, scale),
  clamped: (x, scale) => binaryComposition(x, Clamp.between(x, tf.neg(scale), scale), scale),
  clampPasses: (x, scale) => binaryComposition(x, Clamp.betweenStraightThrough(x, tf.neg(scale), scale), scale),
  ternary: (x, scale, threshold) => {
    const beyond = Gradient.withoutGradient(() => tf.cast(tf.greater(tf.abs(x), tf.mul(scale, threshold)), "float32"))
    return keepingNaN(x, tf.mul(tf.mul(beyond, Sign.ternary(x)), scale))
  }
}

// ---- fused --------------------------------------------------------------------------------------------------

const layoutFor = (x: tf.Tensor, scale: tf.Tensor): Layout | undefined =>
  tf.getKernel("BreveLevels", tf.getBackend()) === undefined || x.dtype !== "float32" || scale.dtype !== "float32"
    ? undefined
    : layoutOf(x.shape, scale.shape, [])

const quantized = (kind: Kind, x: tf.Tensor, scale: tf.Tensor, threshold: number): tf.Tensor => {
  const layout = layoutFor(x, scale)
  if (layout === undefined) return definitions[kind](x, scale, threshold)
  const of = { least: 0, down: 0, low: threshold, high: 0, overflow: 0, passes: 0 }
  const attrs = { ...layout, ...of, kind: 4 + kinds.indexOf(kind) }
  const run = (name: string, given: tf.NamedTensorMap): unknown => tf.engine().runKernel(name, given, attrs)
  return Gradient.customGradient((x: tf.Tensor, scale: tf.Tensor) => ({
    value: run("BreveLevels", { x, scale }) as tf.Tensor,
    saved: [x, scale],
    gradient: (dy, [x, scale]: readonly [tf.Tensor, tf.Tensor]) =>
      run("BreveLevelsGrad", { x, scale, dy }) as [tf.Tensor, tf.Tensor]
  }))(x, scale)
}

/**
 * The definitions of the ops below, in other ops.
 *
 * - formula:  as theirs
 * - shapes:   `x, scale broadcast to [...d] -> y [...d]`
 * - gradient: of each op
 * - errors:   none; NaN stays NaN
 * - source:   Courbariaux et al. 2016, arXiv:1602.02830; Li, Zhang, Liu 2016, arXiv:1605.04711
 *
 * @category sign
 * @since 0.3.0
 */
export const composition = (kind: Kind, x: tf.Tensor, scale: tf.Tensor, threshold = 0): tf.Tensor =>
  definitions[kind](x, scale, threshold)

/**
 * Signs times a scale.
 *
 * - formula:  `y = sign(x) * scale`, `sign(0) = 1`
 * - shapes:   `x, scale broadcast to [...d] -> y [...d]`
 * - gradient: `dx = dy * scale` (straight-through), `dscale = sum(dy * sign(x))`; where x is NaN, `dx = dy`
 * - errors:   none; NaN stays NaN
 * - source:   Courbariaux et al. 2016, arXiv:1602.02830
 *
 * @category sign
 * @since 0.3.0
 */
export const binary = (x: tf.Tensor, scale: tf.Tensor): tf.Tensor => quantized("binary", x, scale, 0)

/**
 * Signs times a scale, of what is clamped to the scale.
 *
 * - formula:  `y = sign(clamp(x, -scale, scale)) * scale`, `sign(0) = 1`
 * - shapes:   `x, scale broadcast to [...d] -> y [...d]`
 * - gradient: `dx = dy * scale` where `|x| <= scale`, else to the scale; if the clamp passes, everywhere to x
 * - errors:   none; NaN stays NaN
 * - source:   Hubara et al. 2016, arXiv:1609.07061
 *
 * @category sign
 * @since 0.3.0
 */
export const clampedBinary = (x: tf.Tensor, scale: tf.Tensor, clampPasses: boolean): tf.Tensor =>
  quantized(clampPasses ? "clampPasses" : "clamped", x, scale, 0)

/**
 * Signs times a scale where magnitudes are beyond a threshold, else 0.
 *
 * - formula:  `y = sign(x) * scale if |x| > threshold * scale else 0`
 * - shapes:   `x, scale broadcast to [...d] -> y [...d]`
 * - gradient: `dx = dy * scale` where `|x| > threshold * scale`, else 0; `dscale = sum(dy * sign(x) there)`
 * - errors:   none; NaN stays NaN
 * - source:   Li, Zhang, Liu 2016, arXiv:1605.04711
 *
 * @category sign
 * @since 0.3.0
 */
export const ternary = (x: tf.Tensor, scale: tf.Tensor, threshold: number): tf.Tensor =>
  quantized("ternary", x, scale, threshold)
