/**
 * A tensor on the host, slice by slice: what reductions are made of whose ties, rounding or NaN no backend gets right.
 *
 * Elements lie row by row, so the `j`-th element of slice `s` stands at `start(slices, s) + j * inner`.
 *
 * Room: tensor (level 0). Imports: tfjs, `./Gradient.ts`, `./Host.ts`. Laws: test/tensor/Slices.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "./Gradient.ts"
import * as Host from "./Host.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** What is reduced: everything, or one axis (counted from the end if negative), which is kept with size 1 if `keepDims`. A scalar has no axis. */
export interface Reduction {
  readonly axis?: number | undefined
  readonly keepDims?: boolean | undefined
}

/** The elements of a tensor as slices of equal length. */
export interface Slices {
  readonly data: Float32Array
  readonly shape: ReadonlyArray<number>
  /** how many slices, and how many elements each */
  readonly count: number
  readonly length: number
  /** how far apart the elements of a slice are */
  readonly inner: number
  /** the shape with one element for each slice */
  readonly reduced: ReadonlyArray<number>
}

// ---- constructors -------------------------------------------------------------------------------------------

/** The axis, counted from the front. */
export const axisOf = (dim: number, rank: number): number => (dim < 0 ? dim + rank : dim)

/** The slices along the reduced axis; the whole tensor is one slice if everything is reduced. */
export const of = (x: tf.Tensor, { axis, keepDims = false }: Reduction): Slices => {
  const data = Host.floats(x)
  const { shape } = x
  if (axis === undefined || shape.length === 0) return { data, shape, count: 1, length: x.size, inner: 1, reduced: [] }
  const [at] = tf.util.parseAxisParam(axis, shape) as [number]
  const [front, length, back] = [shape.slice(0, at), shape[at] as number, shape.slice(at + 1)]
  const inner = tf.util.sizeFromShape(back)
  return {
    data,
    shape,
    count: tf.util.sizeFromShape(front) * inner,
    length,
    inner,
    reduced: [...front, ...(keepDims ? [1] : []), ...back]
  }
}

// ---- operations ---------------------------------------------------------------------------------------------

/** Where a slice begins. */
export const start = ({ inner, length }: Slices, slice: number): number =>
  Math.floor(slice / inner) * inner * length + (slice % inner)

/**
 * One number for each slice, from the places `start`, `start + step`, ... before `end`.
 *
 * A loop that is hot stands in a function at the top level: engines compile it twice as fast as one that closes over its data.
 */
export const fold = (
  slices: Slices,
  f: (data: Float32Array, start: number, end: number, step: number, slice: number) => number
): Float64Array => {
  const { data, count, length, inner } = slices
  const to = new Float64Array(count)
  for (let slice = 0; slice < count; slice++) {
    const from = start(slices, slice)
    to[slice] = f(data, from, from + length * inner, inner, slice)
  }
  return to
}

/** One number for each slice, from where it begins. */
export const reduce = (slices: Slices, f: (start: number, slice: number) => number): Float64Array =>
  fold(slices, (_data, start, _end, _step, slice) => f(start, slice))

const sumOfElements = (data: Float32Array, start: number, end: number, step: number): number => {
  let sum = 0
  for (let at = start; at < end; at += step) sum += data[at] as number
  return sum
}
const sumOf =
  (f: (x: number) => number) =>
  (data: Float32Array, start: number, end: number, step: number): number => {
    let sum = 0
    for (let at = start; at < end; at += step) sum += f(data[at] as number)
    return sum
  }

/** The sum of each slice, or of `f` of its elements, in double precision. */
export const sum = (slices: Slices, f?: (x: number) => number): Float64Array =>
  fold(slices, f === undefined ? sumOfElements : sumOf(f))

const sumOfMagnitudes = (data: Float32Array, start: number, end: number, step: number): number => {
  let sum = 0
  for (let at = start; at < end; at += step) sum += Math.abs(data[at] as number)
  return sum
}

/** The sum of the magnitudes of each slice, in double precision. */
export const magnitudes = (slices: Slices): Float64Array => fold(slices, sumOfMagnitudes)

/** A tensor with one element for each slice, rounded to float32. */
export const tensor = ({ reduced }: Slices, values: Float64Array): tf.Tensor =>
  tf.tensor(Float32Array.from(values), [...reduced], "float32")

type Fill = (
  from: Float32Array,
  to: Float32Array,
  start: number,
  end: number,
  step: number,
  a: number,
  b: number
) => void

// Signs as differences: a branch on random signs would be mispredicted every other time.
const signs: Fill = (from, to, start, end, step, _, b) => {
  for (let at = start; at < end; at += step) {
    const x = from[at] as number
    to[at] = b * (Number(x > 0) - Number(x < 0))
  }
}
const lines: Fill = (from, to, start, end, step, a, b) => {
  for (let at = start; at < end; at += step) {
    const x = from[at] as number
    to[at] = a * x + b * (Number(x > 0) - Number(x < 0))
  }
}

/** `p * x + q * sign(x)` with a `p` and a `q` for each slice, as a tensor of the whole shape: the gradient of sums and norms. */
export const linear = (slices: Slices, p: Float64Array | undefined, q: Float64Array | undefined): tf.Tensor => {
  const { data, length, inner, count, shape } = slices
  const fill = p === undefined ? signs : lines
  const to = new Float32Array(data.length)
  for (let slice = 0; slice < count; slice++) {
    const from = start(slices, slice)
    fill(data, to, from, from + length * inner, inner, p?.[slice] ?? 0, q?.[slice] ?? 0)
  }
  return tf.tensor(to, [...shape], "float32")
}

/** `dy` at one place of each slice (at none where it is -1), 0 elsewhere, as a tensor of the whole shape: the gradient of a selection. */
export const scatter = (slices: Slices, dy: ArrayLike<number>, places: ArrayLike<number>): tf.Tensor => {
  const to = new Float32Array(slices.data.length)
  for (let slice = 0; slice < slices.count; slice++) {
    const place = places[slice] as number
    if (place >= 0) to[place] = dy[slice] as number
  }
  return tf.tensor(to, [...slices.shape], "float32")
}

/** One element of each slice: the one at the place that `choose` says, NaN where it says -1. The gradient goes to the chosen. */
export const pick = (x: tf.Tensor, reduction: Reduction, choose: Parameters<typeof fold>[1]): tf.Tensor =>
  Gradient.customGradient((x: tf.Tensor) => {
    const slices = of(x, reduction)
    const places = fold(slices, choose)
    return {
      value: tensor(
        slices,
        places.map((place) => slices.data[place] ?? Number.NaN)
      ),
      gradient: (dy) => [scatter(slices, Host.floats(dy), places)]
    }
  })(x)
