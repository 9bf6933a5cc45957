/**
 * Clamps between tensors and numbers, and what their gradients see.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`, `./Round.ts`. Laws: test/op/Clamp.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"
import { straightThrough } from "./Round.ts"

/** Sums a gradient over the axes along which `shape` was broadcast. */
const unbroadcast = (dy: tf.Tensor, shape: ReadonlyArray<number>): tf.Tensor => {
  const padded = [...Array.from({ length: dy.rank - shape.length }, () => 1), ...shape]
  const axes = padded.flatMap((size, axis) => (size === 1 && dy.shape[axis] !== 1 ? [axis] : []))
  return tf.reshape(axes.length === 0 ? dy : tf.sum(dy, axes, true), [...shape])
}

const fround = Math.fround

/**
 * Between two numbers, `low <= high`, as fast vector operations: `tf.clipByValue` makes the lower bound of NaN on WASM, so what is
 * added is 0, but NaN for NaN. The zero is negative so that -0 stays, unless a bound is 0 (its sign depends on the backend).
 */
const clipped = (x: tf.Tensor, low: number, high: number): tf.Tensor => {
  const zero = tf.scalar(low === 0 || high === 0 ? 0 : -0)
  return tf.add(tf.clipByValue(x, fround(low), fround(high)), tf.div(zero, tf.add(tf.abs(x), 1)))
}

/** `u = high if x > high else x; y = low if u < low else u`, in the shape of all three. */
const select = (x: tf.Tensor, low: tf.Tensor, high: tf.Tensor): tf.Tensor => {
  const shape = broadcast(x, low, high)
  const [bottom, top] = [single(low), single(high)]
  if (bottom <= top) return clipped(spread(x, shape), bottom, top)
  const input = spread(x, shape)
  const [least, most] = [spread(low, shape), spread(high, shape)]
  const below = tf.where(tf.greater(input, most), most, input)
  return tf.where(tf.less(below, least), least, below)
}

const broadcast = (...all: ReadonlyArray<tf.Tensor>): Array<number> =>
  all.reduce<Array<number>>((shape, t) => tf.broadcast_util.assertAndGetBroadcastShape(shape, t.shape), [])

/** In a shape; a multiplication is faster than `tf.broadcastTo` on WASM. */
const spread = (x: tf.Tensor, shape: ReadonlyArray<number>): tf.Tensor =>
  tf.util.arraysEqual(x.shape, [...shape]) ? x : tf.mul(x, tf.ones([...shape]))

/** The number of a tensor with one element; NaN for all others. */
const single = (x: tf.Tensor): number => (x.size === 1 ? (Host.floats(x)[0] as number) : Number.NaN)

type Routed = readonly [x: tf.Tensor, low: tf.Tensor, high: tf.Tensor]

/** Where the gradient goes, with a single number for each bound. */
const routeSingle = (dy: tf.Tensor, x: tf.Tensor, low: tf.Tensor, high: tf.Tensor): Routed => {
  const [bottom, top] = [single(low), single(high)]
  let toLow = 0
  let toHigh = 0
  const toX = Host.zip(x, dy, (from, g, to) => {
    for (let i = 0; i < from.length; i++) {
      const v = from[i] as number
      const given = g[i] as number
      if (Math.min(v, top) < bottom) toLow += given
      else if (v > top) toHigh += given
      else to[i] = given
    }
  })
  return [toX, tf.fill(low.shape, toLow), tf.fill(high.shape, toHigh)]
}

/** Where the gradient goes, with bounds of any shape. */
const routeEach = (dy: tf.Tensor, x: tf.Tensor, low: tf.Tensor, high: tf.Tensor): Routed => {
  const [values, bottoms, tops] = [x, low, high].map((t) => Host.floats(spread(t, dy.shape))) as [
    Float32Array,
    Float32Array,
    Float32Array
  ]
  /** what of `dy` goes to the one that `selected` tells by the place */
  const part = (like: tf.Tensor, selected: (i: number) => boolean): tf.Tensor => {
    const taken = Host.transform(dy, (g, to) => {
      for (let i = 0; i < g.length; i++) to[i] = selected(i) ? (g[i] as number) : 0
    })
    return unbroadcast(taken, like.shape)
  }
  const under = (i: number): boolean => Math.min(values[i] as number, tops[i] as number) < (bottoms[i] as number)
  const over = (i: number): boolean => !under(i) && (values[i] as number) > (tops[i] as number)
  return [part(x, (i) => !under(i) && !over(i)), part(low, under), part(high, over)]
}

/**
 * Clamps between two tensors; the gradient goes to whichever of the three was selected.
 *
 * - formula:  `u = high if x > high else x; y = low if u < low else u`: the low bound wins where the two cross
 * - shapes:   `x, low, high broadcast to [...d] -> y [...d]`
 * - gradient: by selection, to x, low or high (summed over broadcast axes); a value equal to a bound counts as x
 * - errors:   none; NaN passes
 * - source:   Brevitas, function/ops.py (tensor_clamp)
 *
 * @category clamp
 * @since 0.1.0
 */
export const between: (x: tf.Tensor, low: tf.Tensor, high: tf.Tensor) => tf.Tensor = Gradient.customGradient(
  (x: tf.Tensor, low: tf.Tensor, high: tf.Tensor) => ({
    value: select(x, low, high),
    saved: [x, low, high],
    gradient: (dy, [x, low, high]: readonly [tf.Tensor, tf.Tensor, tf.Tensor]) =>
      low.size === 1 && high.size === 1 && x.size === dy.size
        ? routeSingle(dy, x, low, high)
        : routeEach(dy, x, low, high)
  })
)

/**
 * Clamps between two tensors with the gradient of the identity.
 *
 * - formula:  as `between`
 * - shapes:   `x, low, high broadcast to [...d] -> y [...d]`
 * - gradient: `dx = dy` (summed over broadcast axes); nothing to the bounds
 * - errors:   none; NaN passes
 * - source:   Brevitas, function/ops_ste.py (tensor_clamp_ste)
 *
 * @category clamp
 * @since 0.1.0
 */
export const betweenStraightThrough = (x: tf.Tensor, low: tf.Tensor, high: tf.Tensor): tf.Tensor =>
  Gradient.customGradient((input: tf.Tensor) => ({
    value: select(input, low, high),
    gradient: (dy) => [unbroadcast(dy, input.shape)]
  }))(x)

/** Within numbers; if they cross, all is the high one. */
const held = (x: tf.Tensor, low: number, high: number): tf.Tensor => clipped(x, Math.min(low, high), high)

/** The gradient where x lies within two numbers. */
const inside = (dy: tf.Tensor, x: tf.Tensor, low: number, high: number): tf.Tensor => {
  const [bottom, top] = [fround(low), fround(high)]
  return Host.zip(x, dy, (from, g, to) => {
    for (let i = 0; i < from.length; i++) {
      const v = from[i] as number
      to[i] = v >= bottom && v <= top ? (g[i] as number) : 0
    }
  })
}

/**
 * Clamps between two numbers.
 *
 * - formula:  `y = min(max(x, low), high)`: the high bound wins where the two cross
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy` where `low <= x <= high`, else 0, also for NaN
 * - errors:   none; NaN passes
 * - source:   PyTorch's clamp
 *
 * @category clamp
 * @since 0.2.0
 */
export const within = (x: tf.Tensor, low: number, high: number): tf.Tensor =>
  Gradient.customGradient((input: tf.Tensor) => ({
    value: held(input, low, high),
    saved: [input],
    gradient: (dy, [x]: readonly [tf.Tensor]) => [inside(dy, x, low, high)]
  }))(x)

/**
 * Clamps between two numbers with the gradient of the identity.
 *
 * - formula:  as `within`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy`
 * - errors:   none; NaN passes
 * - source:   Brevitas, function/ops_ste.py (scalar_clamp_ste)
 *
 * @category clamp
 * @since 0.2.0
 */
export const withinStraightThrough = (x: tf.Tensor, low: number, high: number): tf.Tensor =>
  straightThrough((input) => held(input, low, high))(x)

/**
 * Keeps values from falling below a number.
 *
 * - formula:  `y = max(x, low)`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy` where `x >= low`, else 0, also for NaN
 * - errors:   none; NaN passes
 * - source:   PyTorch's clamp_min
 *
 * @category clamp
 * @since 0.2.0
 */
export const notBelow = (x: tf.Tensor, low: number): tf.Tensor =>
  Gradient.customGradient((input: tf.Tensor) => ({
    value: held(input, low, Number.POSITIVE_INFINITY),
    saved: [input],
    gradient: (dy, [x]: readonly [tf.Tensor]) => [inside(dy, x, low, Number.POSITIVE_INFINITY)]
  }))(x)

/**
 * Keeps values from falling below a number, with the gradient of the identity.
 *
 * - formula:  as `notBelow`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy`
 * - errors:   none; NaN passes
 * - source:   Brevitas, function/ops_ste.py (scalar_clamp_min_ste)
 *
 * @category clamp
 * @since 0.2.0
 */
export const notBelowStraightThrough = (x: tf.Tensor, low: number): tf.Tensor =>
  straightThrough((input) => held(input, low, Number.POSITIVE_INFINITY))(x)

/**
 * Keeps a magnitude from falling below a bound, with the gradient of the identity.
 *
 * - formula:  `y = sgn(x) * max(|x|, |min|)`, `sgn(0) = 1`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy` everywhere
 * - errors:   none; NaN passes
 * - source:   Brevitas, function/ops_ste.py (scalar_signed_clamp_min_ste)
 *
 * @category clamp
 * @since 0.1.0
 */
export const atLeast = (x: tf.Tensor, min: number): tf.Tensor => {
  const bound = fround(Math.abs(min))
  return straightThrough((input) =>
    input.dtype === "float32" && tf.getKernel("BreveAtLeast", tf.getBackend()) !== undefined
      ? (tf.engine().runKernel("BreveAtLeast", { x: input }, { bound }) as tf.Tensor)
      : atLeastOnHost(input, bound)
  )(x)
}

const atLeastOnHost = (x: tf.Tensor, bound: number): tf.Tensor =>
  Host.transform(x, (from, to) => {
    for (let i = 0; i < from.length; i++) {
      const v = from[i] as number
      to[i] = Math.abs(v) < bound ? (v >= 0 ? bound : -bound) : v
    }
  })
