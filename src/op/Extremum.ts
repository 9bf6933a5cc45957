/**
 * Largest and smallest elements, with the gradients of ties spelt out: by them it is decided which elements learn.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"
import * as Slices from "../tensor/Slices.ts"

type Kind = "magnitude" | "largest" | "smallest"

/** The first place where `|x|`, or `sign * x`, is greatest, or NaN; -1 in an empty slice. */
const first = (
  data: Float32Array,
  start: number,
  end: number,
  step: number,
  absolute: boolean,
  sign: number
): number => {
  let place = -1
  let best = Number.NEGATIVE_INFINITY
  for (let at = start; at < end; at += step) {
    const x = data[at] as number
    const key = absolute ? Math.abs(x) : x * sign
    if (!(key <= best)) {
      best = key
      place = at
      if (Number.isNaN(key)) break
    }
  }
  return place < 0 && start < end ? start : place
}

/** Shares `dy` equally among all elements that attain the extremum: NaN, if that is it. */
const shared = ({ data, shape }: Slices.Slices, kind: Kind, extremum: number, dy: number): tf.Tensor => {
  const either = kind === "magnitude" ? -extremum : extremum
  const hit = new Uint8Array(data.length)
  let hits = 0
  for (let i = 0; i < data.length; i++) {
    const x = data[i] as number
    if (x === extremum || x === either || (Number.isNaN(x) && Number.isNaN(extremum))) hits += hit[i] = 1
  }
  const to = new Float32Array(data.length)
  const share = dy / hits
  for (let i = 0; i < to.length; i++)
    if (hit[i] === 1) to[i] = kind === "magnitude" ? share * slope(data[i] as number) : share
  return tf.tensor(to, [...shape], "float32")
}
const slope = (x: number): number => (x > 0 ? 1 : x < 0 ? -1 : 0)

const extremum =
  (kind: Kind) =>
  (x: tf.Tensor, reduction: Slices.Reduction = {}): tf.Tensor =>
    Gradient.customGradient((x: tf.Tensor) => {
      const slices = Slices.of(x, reduction)
      const absolute = kind === "magnitude"
      const sign = kind === "smallest" ? -1 : 1
      const places = Slices.fold(slices, (data, start, end, step) => first(data, start, end, step, absolute, sign))
      const chosen = places.map((place) => slices.data[place] ?? Number.NaN)
      return {
        value: Slices.tensor(slices, absolute ? chosen.map(Math.abs) : chosen),
        gradient: (dy) => {
          const from = Host.floats(dy)
          if (reduction.axis === undefined) return [shared(slices, kind, chosen[0] as number, from[0] as number)]
          return [Slices.scatter(slices, absolute ? from.map((d, i) => d * slope(chosen[i] as number)) : from, places)]
        }
      }
    })(x)

const magnitude = extremum("magnitude")

// ---- by the backend's own kernels ---------------------------------------------------------------------------

/** One value for each channel of an axis, as a vector. */
export interface PerChannel {
  readonly channel: number
}

const sizeFromShape = tf.util.sizeFromShape

/** The layout of channels: they stand in rows or in columns. */
const channelsOf = ({ shape, size }: tf.Tensor, channel: number): tf.NamedAttrMap | undefined => {
  const at = Slices.axisOf(channel, shape.length)
  const count = shape[at] as number
  const [front, back] = [sizeFromShape(shape.slice(0, at)), sizeFromShape(shape.slice(at + 1))]
  if (size === 0 || (front !== 1 && back !== 1)) return undefined
  return front === 1
    ? { outer: count, length: back, inner: 1, shape: [count] }
    : { outer: 1, length: front, inner: count, shape: [count] }
}

/** What the kernels need to know of a reduction: nothing for everything, else the slices; `undefined` where they know none. */
const slicesOf = (x: tf.Tensor, reduction: Slices.Reduction | PerChannel): tf.NamedAttrMap | undefined => {
  if ("channel" in reduction) return channelsOf(x, reduction.channel)
  const { axis, keepDims = false } = reduction
  if (axis === undefined || x.rank === 0) return {}
  const at = Slices.axisOf(axis, x.rank)
  const [front, back] = [x.shape.slice(0, at), x.shape.slice(at + 1)]
  return {
    outer: sizeFromShape(front),
    length: x.shape[at] as number,
    inner: sizeFromShape(back),
    shape: [...front, ...(keepDims ? [1] : []), ...back]
  }
}

const run = (kernel: string, inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap): tf.Tensor =>
  tf.engine().runKernel(kernel, inputs, attrs) as tf.Tensor

const fused = (x: tf.Tensor, attrs: tf.NamedAttrMap): tf.Tensor =>
  run(attrs.inner === undefined ? "BreveAbsMax" : "BreveAbsMaxAlong", { x }, attrs)

const fusedAbsMax = (x: tf.Tensor, attrs: tf.NamedAttrMap): tf.Tensor =>
  Gradient.customGradient((x: tf.Tensor) => {
    const value = fused(x, attrs)
    return {
      value,
      saved: [x, value],
      gradient: (dy, [x, extremum]: readonly [tf.Tensor, tf.Tensor]) => [
        run("BreveAbsMaxGrad", { x, extremum, dy }, attrs)
      ]
    }
  })(x)

/** What the backend's kernels need to know, if it has them for this. */
const fusable = (x: tf.Tensor, reduction: Slices.Reduction | PerChannel): tf.NamedAttrMap | undefined =>
  x.dtype === "float32" && tf.getKernel("BreveAbsMax", tf.getBackend()) !== undefined
    ? slicesOf(x, reduction)
    : undefined

/** Channels brought to the front, all else in one row for each. */
const inRows = (x: tf.Tensor, channel: number): tf.Tensor => {
  const at = Slices.axisOf(channel, x.rank)
  const count = x.shape[at] as number
  const others = x.shape.flatMap((_, axis) => (axis === at ? [] : [axis]))
  const front = at === 0 ? x : tf.transpose(x, [at, ...others])
  return Gradient.reshaped(front, [count, count === 0 ? 0 : x.size / count])
}

/**
 * The largest magnitude, and the tensor itself for all that follows: what comes back to it is completed in place by the few elements
 * that attain the maximum, without a second gradient of that size.
 *
 * - formula:  `y = [max |x|, x]`
 * - shapes:   `x [...d] -> y [] or without the reduced axis, and [...d]`
 * - gradient: the sum of that of `absMax` and of what comes back to the second value
 * - errors:   none; NaN if there is one, and of nothing
 * - source:   Brevitas, core/stats/stats_op.py (AbsMax)
 *
 * @category statistic
 * @since 0.3.0
 */
export const absMaxThrough = (
  x: tf.Tensor,
  reduction: Slices.Reduction | PerChannel = {}
): readonly [absMax: tf.Tensor, x: tf.Tensor] => {
  const attrs = Gradient.isRecorded() ? fusable(x, reduction) : undefined
  if (attrs === undefined) return [absMax(x, reduction), x]
  const both = Gradient.customGradients((x: tf.Tensor) => {
    const value = fused(x, attrs)
    return {
      values: [value, x],
      saved: [x, value],
      gradient: ([dy, through], [x, extremum]: readonly [tf.Tensor, tf.Tensor], [, owned]) => {
        if (dy === undefined) return [through as tf.Tensor]
        if (through === undefined) return [run("BreveAbsMaxGrad", { x, extremum, dy }, attrs)]
        const dx = owned === true ? through : tf.clone(through)
        run("BreveAbsMaxAmend", { x, extremum, dy, dx }, attrs)
        return [dx]
      }
    }
  })(x)
  return both as [tf.Tensor, tf.Tensor]
}

/**
 * The largest magnitude.
 *
 * - formula:  `y = max |x|`
 * - shapes:   `x [...d] -> y []`, or without the reduced axis, or one for each channel
 * - gradient: `dy * sign(x)`: over everything shared equally among all that attain the maximum, along an axis to the first
 * - errors:   none; NaN if there is one, and of nothing
 * - source:   Brevitas, core/stats/stats_op.py (AbsMax)
 *
 * @category statistic
 * @since 0.1.0
 */
export const absMax = (x: tf.Tensor, reduction: Slices.Reduction | PerChannel = {}): tf.Tensor => {
  const attrs = fusable(x, reduction)
  if (attrs !== undefined) return fusedAbsMax(x, attrs)
  return "channel" in reduction ? magnitude(inRows(x, reduction.channel), { axis: 1 }) : magnitude(x, reduction)
}

/**
 * The largest element.
 *
 * - formula:  `y = max x`
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: `dy`: over everything shared equally among all that attain the maximum, along an axis to the first
 * - errors:   none; NaN if there is one, and of nothing
 * - source:   PyTorch's max
 *
 * @category statistic
 * @since 0.2.0
 */
export const largest: (x: tf.Tensor, reduction?: Slices.Reduction) => tf.Tensor = extremum("largest")

/**
 * The smallest element.
 *
 * - formula:  `y = min x`
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: `dy`: over everything shared equally among all that attain the minimum, along an axis to the first
 * - errors:   none; NaN if there is one, and of nothing
 * - source:   PyTorch's min
 *
 * @category statistic
 * @since 0.2.0
 */
export const smallest: (x: tf.Tensor, reduction?: Slices.Reduction) => tf.Tensor = extremum("smallest")

/**
 * What is negative, and 0 for all else.
 *
 * - formula:  `y = min(x, 0)`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dy` where `x <= 0`, else 0
 * - errors:   none; NaN passes
 * - source:   Brevitas, core/stats/stats_op.py (NegativeMinOrZero)
 *
 * @category statistic
 * @since 0.2.0
 */
export const negativeOrZero: (x: tf.Tensor) => tf.Tensor = Gradient.customGradient((x: tf.Tensor) => ({
  value: Host.map(x, (x) => Math.min(x, 0)),
  saved: [x],
  gradient: (dy, [input]: readonly [tf.Tensor]) => [tf.where(tf.lessEqual(input, 0), dy, tf.zerosLike(dy))]
}))
