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

/** The largest magnitude of everything, and how it is shared out, by the backend's own kernels. */
const fusedAbsMax: (x: tf.Tensor) => tf.Tensor = Gradient.customGradient((x: tf.Tensor) => {
  const value = tf.engine().runKernel("BreveAbsMax", { x }) as tf.Tensor
  return {
    value,
    saved: [x, value],
    gradient: (dy, [x, extremum]: readonly [tf.Tensor, tf.Tensor]) => [
      tf.engine().runKernel("BreveAbsMaxGrad", { x, extremum, dy }) as tf.Tensor
    ]
  }
})

const magnitude = extremum("magnitude")

/** Whether the backend has kernels for this. */
const fusable = (x: tf.Tensor, { axis }: Slices.Reduction): boolean =>
  axis === undefined && x.dtype === "float32" && tf.getKernel("BreveAbsMax", tf.getBackend()) !== undefined

/**
 * The largest magnitude.
 *
 * - formula:  `y = max |x|`
 * - shapes:   `x [...d] -> y []`, or without the reduced axis
 * - gradient: `dy * sign(x)`: over everything shared equally among all that attain the maximum, along an axis to the first
 * - errors:   none; NaN if there is one, and of nothing
 * - source:   Brevitas, core/stats/stats_op.py (AbsMax)
 *
 * @category statistic
 * @since 0.1.0
 */
export const absMax = (x: tf.Tensor, reduction: Slices.Reduction = {}): tf.Tensor =>
  fusable(x, reduction) ? fusedAbsMax(x) : magnitude(x, reduction)

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
