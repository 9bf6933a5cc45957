/**
 * Fused integer fake-quantization: to the integers of a range and back in one pass over memory, and one for all gradients.
 *
 * Where the backend has breve's kernels (`backend/Kernels.ts`) and they know the shapes; elsewhere the composition of the other ops,
 * which is the definition.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`, `./Clamp.ts`, `./Layout.ts`, `./Round.ts`. Laws: test/op/FakeQuant.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Clamp from "./Clamp.ts"
import { type Layout, layoutOf } from "./Layout.ts"
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

/** A number, which has no gradient and needs no tensor, or a tensor. */
export type Given = number | tf.Tensor

type Inputs = readonly [x: tf.Tensor, scale: tf.Tensor, zeroPoint: Given, low: Given, high: Given]

// ---- layouts ------------------------------------------------------------------------------------------------

const isTensor = (given: Given): given is tf.Tensor => typeof given !== "number"
const shapeOf = (given: Given): ReadonlyArray<number> => (isTensor(given) ? given.shape : [])

/** The layout by which the backend's kernels can do it. */
const fusable = (inputs: Inputs): Layout | undefined => {
  if (tf.getKernel("BreveFakeQuant", tf.getBackend()) === undefined) return undefined
  const [x, scale, zeroPoint, low, high] = inputs
  if ([low, high].some((bound) => isTensor(bound) && (bound.size !== 1 || bound.rank > x.rank))) return undefined
  if (inputs.some((given) => isTensor(given) && given.dtype !== "float32")) return undefined
  return layoutOf(x.shape, scale.shape, shapeOf(zeroPoint))
}

// ---- operations ---------------------------------------------------------------------------------------------

const tensorOf = (given: Given): tf.Tensor => (isTensor(given) ? given : tf.scalar(given))

/** Sums over the axes along which `shape` was broadcast. */
const summed = (terms: tf.Tensor, shape: ReadonlyArray<number>): tf.Tensor => {
  const missing = terms.rank - shape.length
  const axes = terms.shape.flatMap((size, axis) =>
    axis < missing || (shape[axis - missing] === 1 && size !== 1) ? [axis] : []
  )
  return tf.reshape(axes.length === 0 ? terms : tf.sum(terms, axes), [...shape])
}

/** A zero-point that is the number 0 is none: -0 is not made +0 by adding it. */
const shifted = (x: tf.Tensor, zeroPoint: Given): tf.Tensor => (zeroPoint === 0 ? x : tf.add(x, zeroPoint))
const unshifted = (x: tf.Tensor, zeroPoint: Given): tf.Tensor => (zeroPoint === 0 ? x : tf.sub(x, zeroPoint))

/** A function of those inputs that are tensors, with gradients for x, scale, zero-point and, where the clamp has some for them, bounds. */
const differentiable = (
  inputs: Inputs,
  { clampPasses }: Options,
  value: (inputs: Inputs) => tf.Tensor,
  gradients: (dy: tf.Tensor, inputs: Inputs) => ReadonlyArray<tf.Tensor>
): tf.Tensor => {
  const all: ReadonlyArray<Given> = inputs
  const tensors = all.filter(isTensor)
  const asked = (clampPasses ? all.slice(0, 3) : all).filter(isTensor)
  return Gradient.customGradient((..._: ReadonlyArray<tf.Tensor>) => ({
    value: value(inputs),
    saved: tensors,
    gradient: (dy, saved: ReadonlyArray<tf.Tensor>) => {
      const left = [...saved]
      const kept = all.map((given) => (isTensor(given) ? (left.shift() as tf.Tensor) : given)) as unknown as Inputs
      return gradients(dy, kept).slice(0, asked.length)
    }
  }))(...asked)
}

const quantized = ([x, scale, zeroPoint, low, high]: Inputs, rounding: Rounding): tf.Tensor => {
  const clamped = Clamp.between(rounds[rounding](shifted(tf.div(x, scale), zeroPoint)), tensorOf(low), tensorOf(high))
  return tf.mul(unshifted(clamped, zeroPoint), scale)
}

/** For those inputs that are tensors, in their order. */
const gradientsOf = (dy: tf.Tensor, inputs: Inputs, { rounding, clampPasses }: Options): ReadonlyArray<tf.Tensor> => {
  const [x, scale, zeroPoint, low, high] = inputs
  const [bottom, top] = [tensorOf(low), tensorOf(high)]
  const divided = tf.div(x, scale)
  const integer = rounds[rounding](shifted(divided, zeroPoint))
  const nothing = tf.zerosLike(dy)
  // the low bound wins where the two cross
  const above = tf.greater(integer, top)
  const below = tf.less(tf.where(above, top, integer), bottom)
  const only = (where: tf.Tensor, terms: tf.Tensor): tf.Tensor => tf.where(where, terms, nothing)
  const inside = clampPasses ? tf.scalar(true) : tf.logicalNot(tf.logicalOr(below, above))
  const change = tf.mul(dy, scale)
  const difference = tf.sub(unshifted(Clamp.between(integer, bottom, top), zeroPoint), only(inside, divided))
  const terms = [
    only(inside, dy),
    tf.mul(dy, difference),
    only(tf.logicalNot(inside), tf.neg(change)),
    only(below, change),
    only(tf.logicalAnd(above, tf.logicalNot(below)), change)
  ]
  return inputs.flatMap((given, i) => (isTensor(given) ? [summed(terms[i] as tf.Tensor, given.shape)] : []))
}

/**
 * The definition, in other ops: rounds, clamps and goes back to floats.
 *
 * - formula:  `q = clamp(round(x / scale + z), low, high); y = (q - z) * scale`
 * - shapes:   `x, scale, z, low, high broadcast to [...d] -> y [...d]`; z, low and high may be numbers; z as the number 0 is none
 * - gradient: where the rounded value lies within the bounds (or everywhere, with `clampPasses`) `dx = dy`, else 0;
 *   `dscale = sum(dy * (q - z - inside * x / scale))`, `dz = -sum(dy * scale)` beyond the bounds, `dlow` and `dhigh` the sum of
 *   `dy * scale` below and above, none with `clampPasses`; none for numbers
 * - errors:   none; NaN passes and counts as within, infinities become the ends of the range
 * - source:   Jacob et al. 2018, arXiv:1712.05877; Esser et al. 2020, arXiv:1902.08153 (the gradient of the scale)
 *
 * @category quantization
 * @since 0.2.0
 */
export const composition = (
  x: tf.Tensor,
  scale: tf.Tensor,
  zeroPoint: Given,
  low: Given,
  high: Given,
  options: Options
): tf.Tensor =>
  differentiable(
    [x, scale, zeroPoint, low, high],
    options,
    (inputs) => quantized(inputs, options.rounding),
    (dy, inputs) => gradientsOf(dy, inputs, options)
  )

/** In one pass. */
const fused = (inputs: Inputs, layout: Layout, options: Options): tf.Tensor => {
  const names = ["x", "scale", "zeroPoint", "low", "high"]
  const passes = options.clampPasses ? 1 : 0
  const run = (name: string, inputs: Inputs, more: tf.NamedTensorMap = {}): unknown => {
    const all = inputs.map((given, i): [string, Given] => [names[i] as string, given])
    const tensors = Object.fromEntries(all.filter((pair): pair is [string, tf.Tensor] => isTensor(pair[1])))
    const numbers = Object.fromEntries(all.filter((pair): pair is [string, number] => !isTensor(pair[1])))
    const attrs = { ...layout, ...numbers, rounding: roundings.indexOf(options.rounding), passes }
    return tf.engine().runKernel(name, { ...tensors, ...more }, attrs)
  }
  return differentiable(
    inputs,
    options,
    (inputs) => run("BreveFakeQuant", inputs) as tf.Tensor,
    (dy, inputs) => run("BreveFakeQuantGrad", inputs, { dy }) as ReadonlyArray<tf.Tensor>
  )
}

/**
 * Quantizes to the integers of a range and back, fused where the backend can: with one scale and zero-point for all, for each
 * channel on any axis, or for each group.
 *
 * - formula:  `q = clamp(round(x / scale + z), low, high); y = (q - z) * scale`
 * - shapes:   `x, scale, z, low, high broadcast to [...d] -> y [...d]`; z, low and high may be numbers, which costs less than
 *   tensors; z as the number 0 is none
 * - gradient: as `composition`, none for numbers: `dx` to the bit; sums of float32 terms within blocks of 32, of blocks in double
 *   precision: within `12 * 2^-24` of the sum of the magnitudes of their terms
 * - errors:   none; NaN passes, infinities become the ends of the range
 * - source:   Jacob et al. 2018, arXiv:1712.05877
 *
 * @category quantization
 * @since 0.2.0
 */
export const fakeQuantize = (
  x: tf.Tensor,
  scale: tf.Tensor,
  zeroPoint: Given,
  low: Given,
  high: Given,
  options: Options
): tf.Tensor => {
  const inputs: Inputs = [x, scale, zeroPoint, low, high]
  const layout = fusable(inputs)
  return layout === undefined ? composition(...inputs, options) : fused(inputs, layout, options)
}
