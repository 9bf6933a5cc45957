/**
 * Fused integer fake-quantization: to the integers of a range and back in one pass over memory, and one for all gradients.
 *
 * Where the backend has breve's kernels (`backend/Kernels.ts`) and they know the shapes; elsewhere the composition of the other ops,
 * which is the definition.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`, `./Clamp.ts`, `./Round.ts`. Laws: test/op/FakeQuant.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Clamp from "./Clamp.ts"
import * as Round from "./Round.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** The roundings that are known to the kernels, in the order of their numbers there. */
const roundings = ["nearest", "floor", "ceil", "toZero"] as const

const rounds = { nearest: Round.nearest, floor: Round.floor, ceil: Round.ceil, toZero: Round.toZero }

/** A rounding: to the nearest (ties to even), down, up, towards zero. */
export type Rounding = (typeof roundings)[number]

/** How floats become integers, apart from the numbers. */
export interface Options {
  readonly rounding: Rounding
  /** whether the clamp has the gradient of the identity */
  readonly clampPasses: boolean
}

type Inputs = readonly [x: tf.Tensor, scale: tf.Tensor, zeroPoint: tf.Tensor, low: tf.Tensor, high: tf.Tensor]

/** How elements find their scale and zero-point: x is outer x repeats x channels x inner; one for each outer and channel, or one. */
type Layout = Readonly<Record<"outer" | "repeats" | "channels" | "inner" | "scaleStep" | "zeroStep", number>>

// ---- layouts ------------------------------------------------------------------------------------------------

const product = (sizes: ReadonlyArray<number>): number => sizes.reduce((all, size) => all * size, 1)

/** Which axes of x an operand varies along; `undefined` where it does not fit into the shape of x. */
const varying = (shape: ReadonlyArray<number>, operand: ReadonlyArray<number>): ReadonlyArray<boolean> | undefined => {
  const missing = shape.length - operand.length
  if (missing < 0) return undefined
  const axes = shape.map((size, axis) => (operand[axis - missing] ?? 1) === size)
  const fits = shape.every((_, axis) => axes[axis] || (operand[axis - missing] ?? 1) === 1)
  return fits ? axes : undefined
}

/** The layout of these shapes; `undefined` where the kernels have none. */
const layoutOf = (
  shape: ReadonlyArray<number>,
  scale: ReadonlyArray<number>,
  zeroPoint: ReadonlyArray<number>
): Layout | undefined => {
  const [scaleStep, zeroStep] = [scale, zeroPoint].map((operand) => (product(operand) === 1 ? 0 : 1)) as [
    number,
    number
  ]
  if (scaleStep === 1 && zeroStep === 1 && product(scale) !== product(zeroPoint)) return undefined
  const steps = { scaleStep, zeroStep }
  const [byScale, byZero] = [varying(shape, scale), varying(shape, zeroPoint)]
  if (byScale === undefined || byZero === undefined) return undefined
  const by = scaleStep === 1 ? byScale : byZero
  if (scaleStep === 0 && zeroStep === 0) return { outer: 1, repeats: 1, channels: 1, inner: product(shape), ...steps }
  // axes of size 1 do not matter; runs of axes along which one varies, or does not
  const axes = shape.flatMap((size, axis) =>
    size === 1 ? [] : [{ size, varies: by[axis] === true, other: byZero[axis] === true }]
  )
  if (scaleStep === 1 && zeroStep === 1 && axes.some(({ varies, other }) => varies !== other)) return undefined
  const runs: Array<{ size: number; varies: boolean }> = []
  for (const { size, varies } of axes) {
    const last = runs.at(-1)
    if (last?.varies === varies) last.size *= size
    else runs.push({ size, varies })
  }
  // from the inside: inner (fixed), channels (varying), repeats (fixed), outer (varying)
  const take = (varies: boolean): number => (runs.at(-1)?.varies === varies ? (runs.pop()?.size ?? 1) : 1)
  const [inner, channels, repeats, outer] = [take(false), take(true), take(false), take(true)]
  return runs.length === 0 ? { outer, repeats, channels, inner, ...steps } : undefined
}

/** The layout by which the backend's kernels can do it. */
const fusable = ([x, scale, zeroPoint, low, high]: Inputs): Layout | undefined => {
  if (tf.getKernel("BreveFakeQuant", tf.getBackend()) === undefined) return undefined
  if (low.size !== 1 || high.size !== 1 || low.rank > x.rank || high.rank > x.rank) return undefined
  if ([x, scale, zeroPoint, low, high].some(({ dtype }) => dtype !== "float32")) return undefined
  return layoutOf(x.shape, scale.shape, zeroPoint.shape)
}

// ---- operations ---------------------------------------------------------------------------------------------

/**
 * The definition, in other ops: rounds, clamps and goes back to floats.
 *
 * - formula:  `(clamp(round(x / scale + z), low, high) - z) * scale`
 * - shapes:   `x, scale, z, low, high broadcast to [...d] -> y [...d]`
 * - gradient: of each op: rounding straight-through, the clamp by selection or straight-through
 * - errors:   none; NaN passes, infinities become the ends of the range
 * - source:   Jacob et al. 2018, arXiv:1712.05877
 *
 * @category quantization
 * @since 0.2.0
 */
export const composition = (
  x: tf.Tensor,
  scale: tf.Tensor,
  zeroPoint: tf.Tensor,
  low: tf.Tensor,
  high: tf.Tensor,
  { rounding, clampPasses }: Options
): tf.Tensor => {
  const rounded = rounds[rounding](tf.add(tf.div(x, scale), zeroPoint))
  const clamp = clampPasses ? Clamp.betweenStraightThrough : Clamp.between
  return tf.mul(tf.sub(clamp(rounded, low, high), zeroPoint), scale)
}

/** In one pass; the bounds are asked for a gradient only if the clamp has one for them. */
const fused = (inputs: Inputs, layout: Layout, { rounding, clampPasses }: Options): tf.Tensor => {
  const attrs = { ...layout, rounding: roundings.indexOf(rounding), passes: clampPasses ? 1 : 0 }
  const run = (name: string, given: tf.NamedTensorMap): unknown => tf.engine().runKernel(name, given, attrs)
  const forward = ([x, scale, zeroPoint, low, high]: Inputs): tf.Tensor =>
    run("BreveFakeQuant", { x, scale, zeroPoint, low, high }) as tf.Tensor
  const backward = (dy: tf.Tensor, [x, scale, zeroPoint, low, high]: Inputs): Inputs =>
    run("BreveFakeQuantGrad", { x, scale, zeroPoint, low, high, dy }) as unknown as Inputs
  const [x, scale, zeroPoint, low, high] = inputs
  if (!clampPasses)
    return Gradient.customGradient((...all: Inputs) => ({ value: forward(all), saved: all, gradient: backward }))(
      ...inputs
    )
  return Gradient.customGradient((x: tf.Tensor, scale: tf.Tensor, zeroPoint: tf.Tensor) => {
    const all: Inputs = [x, scale, zeroPoint, low, high]
    return {
      value: forward(all),
      saved: all,
      gradient: (dy, saved: Inputs) => {
        const [dx, dscale, dzero] = backward(dy, saved)
        return [dx, dscale, dzero]
      }
    }
  })(x, scale, zeroPoint)
}

/**
 * Quantizes to the integers of a range and back, fused where the backend can: with one scale and zero-point for all, for each
 * channel on any axis, or for each group.
 *
 * - formula:  `(clamp(round(x / scale + z), low, high) - z) * scale`
 * - shapes:   `x, scale, z, low, high broadcast to [...d] -> y [...d]`
 * - gradient: as `composition`: `dx` to the bit; the sums for scale, z and bounds in double precision
 * - errors:   none; NaN passes, infinities become the ends of the range
 * - source:   Jacob et al. 2018, arXiv:1712.05877
 *
 * @category quantization
 * @since 0.2.0
 */
export const fakeQuantize = (
  x: tf.Tensor,
  scale: tf.Tensor,
  zeroPoint: tf.Tensor,
  low: tf.Tensor,
  high: tf.Tensor,
  options: Options
): tf.Tensor => {
  const inputs: Inputs = [x, scale, zeroPoint, low, high]
  const layout = fusable(inputs)
  return layout === undefined ? composition(...inputs, options) : fused(inputs, layout, options)
}
