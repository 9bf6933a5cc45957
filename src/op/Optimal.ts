/**
 * The scale of the smallest squared error, exactly: no scale at all is better.
 *
 * The error of a scale is `E(s) = sum (x - s * g(x / s))^2`, with g the nearest level. As long as no `x / s` crosses the middle of
 * two levels, at a breakpoint `s = x / middle`, the levels g stay the same, and `E(s) = C - 2 * s * A + s^2 * B` with `A = sum x * g`,
 * `B = sum g^2`, `C = sum x^2`. Levels that are not the nearest ones only make an error larger; so if s* is the best scale, and A and B
 * belong to its piece, then `E(A / B) <= C - A^2 / B <= E(s*)`: **the best error is `C - max A^2 / B` over all pieces**, and the best
 * scale is the `A / B` of that piece, whether or not it lies in it. A sweep over sorted breakpoints updates A and B.
 *
 * Most breakpoints need not be looked at. Over `[a, b]`, x is at least `min(d(a), d(b))` away from every level, d being the distance
 * at one end, unless `x / s` passes a level between the ends, since in between two levels d only has a peak. The sum of the squares
 * of these distances bounds E from below; an interval whose bound is not below the best error so far is left out, others are
 * halved until they have few breakpoints. A set of zero-points is bounded by the levels that any of them has. So what is found is
 * the optimum up to rounding: within 1e-15 of C, which is what rounding x to float32 amounts to. A and B are summed anew for each
 * interval, so no error adds up along the sweep.
 *
 * Room: op (level 1). Imports: `./Interval.ts`, `./Levels.ts`. Laws: laws/OptimalScaleLaws.ts, test/op/Optimal.test.ts.
 */
import { boundOf, type End, endAt, pieceAt, sweep } from "./Interval.ts"
import { integers, type Levels, type Range } from "./Levels.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** What was found: of all-zero elements 0, of elements that are not finite NaN. */
export interface Optimum {
  readonly scale: number
  readonly zeroPoint: number
  /** the sum of squares, in double precision */
  readonly error: number
}

/** Levels for some zero-points: those of one, or all that any of them has. */
interface Family {
  readonly levels: Levels
  readonly zeroPoint: number
  /** how many zero-points, as a part of the integers */
  readonly spread: number
  readonly halves?: () => readonly [Family, Family]
}

// ---- branch and bound ---------------------------------------------------------------------------------------

interface Start {
  readonly family: Family
  readonly scale: number
}

const minimize = (
  x: Float64Array,
  root: Family,
  [from, to]: readonly [number, number],
  starts: ReadonlyArray<Start>,
  least = 0
): Optimum => {
  const squares = x.reduce((sum, v) => sum + v * v, 0)
  const few = x.length + 32
  let best: Optimum =
    least > 0
      ? { scale: least, zeroPoint: root.zeroPoint, error: pieceAt(x, root.levels, least).error }
      : { scale: 0, zeroPoint: root.zeroPoint, error: squares }
  /** takes a scale if it is better, and goes down to the bottom of the valley that it lies in */
  const offer = ({ levels, zeroPoint }: Family, first: number): void => {
    let scale = first
    while (scale > 0) {
      const { a, b, error } = pieceAt(x, levels, scale)
      if (!(error < best.error)) break
      best = { scale, zeroPoint, error }
      scale = a > 0 && b > 0 ? Math.max(a / b, least) : 0
    }
  }
  const visit = (family: Family, left: End, right: End): void => {
    const { levels, halves } = family
    const { lower, breakpoints } = boundOf(left, right)
    if (lower + 1e-15 * squares >= best.error) return
    const width = right.scale / left.scale - 1
    if (halves !== undefined && family.spread >= width) {
      const [below, above] = halves()
      for (const half of best.zeroPoint < above.zeroPoint ? [below, above] : [above, below])
        visit(half, endAt(x, half.levels, left.scale), endAt(x, half.levels, right.scale))
    } else if (halves === undefined && (breakpoints <= few || width < 1e-12)) {
      const { gain, scale } = sweep(x, levels, [left, right], breakpoints, least)
      if (squares - gain <= best.error + 1e-14 * squares) offer(family, scale)
    } else {
      const middle = endAt(x, levels, Math.sqrt(left.scale) * Math.sqrt(right.scale), [left, right])
      const parts = [[left, middle] as const, [middle, right] as const]
      for (const [p, q] of best.scale < middle.scale ? parts : parts.reverse()) visit(family, p, q)
    }
  }
  const errors = starts.map(({ family, scale }) => pieceAt(x, family.levels, scale).error)
  const first = starts[errors.indexOf(errors.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY))]
  if (first !== undefined) offer(first.family, first.scale)
  if (from < to) visit(root, endAt(x, root.levels, from), endAt(x, root.levels, to))
  return best
}

// ---- operations ---------------------------------------------------------------------------------------------

/** Parts of the scale at which nothing is cut off, where searches begin. */
const parts = Array.from({ length: 20 }, (_, i) => (20 - i) / 20)

const notFinite: Optimum = { scale: Number.NaN, zeroPoint: Number.NaN, error: Number.NaN }

const extremes = (x: ArrayLike<number>): readonly [min: number, max: number, smallest: number, largest: number] => {
  let [min, max, smallest] = [0, 0, Number.POSITIVE_INFINITY]
  for (let i = 0; i < x.length; i++) {
    const v = x[i] as number
    if (v < min) min = v
    if (v > max) max = v
    if (v !== 0 && Math.abs(v) < smallest) smallest = Math.abs(v)
  }
  return [min, max, smallest, Math.max(max, -min)]
}

/**
 * The scale of the smallest squared error for given levels.
 *
 * - formula:  `argmin over s >= least of sum (x - s * nearest(x / s))^2`
 * - shapes:   `x [n] -> numbers`
 * - gradient: none
 * - errors:   none; NaN for elements that are not finite, 0 where nothing but 0 is as good
 * - source:   Lloyd 1982, doi:10.1109/TIT.1982.1056489, and Max 1960, doi:10.1109/TIT.1960.1057548, for one scale; Land and Doig
 *   1960, doi:10.2307/1910129, for branch and bound
 *
 * @category optimal
 * @since 0.2.0
 */
export const scale = (x: Float32Array, levels: Levels, least = 0): Optimum => {
  if (!x.every(Number.isFinite)) return notFinite
  const [min, max, smallest, largest] = extremes(x)
  const family: Family = { levels, zeroPoint: 0, spread: 0 }
  const { values, middles } = levels
  const elements = Float64Array.from(x)
  if (largest === 0 || values.length < 2) return minimize(elements, family, [0, 0], [], least)
  const outermost = middles.reduce((a, b) => Math.max(a, Math.abs(b)), 0)
  const innermost = middles.reduce((a, b) => (b !== 0 && Math.abs(b) < a ? Math.abs(b) : a), outermost)
  const [from, to] = outermost === 0 ? [1, 1] : [(0.999 * smallest) / outermost, (1.001 * largest) / innermost]
  const [bottom, top] = [values[0] as number, values.at(-1) as number]
  const whole = Math.max(top > 0 ? max / top : 0, bottom < 0 ? min / bottom : 0)
  // the pieces below and above all breakpoints
  const outer = [from, to].map((s) => pieceAt(elements, levels, s)).map(({ a, b }) => (b > 0 ? a / b : 0))
  const starts = [...parts.map((part) => part * whole), ...outer].filter((s) => s > 0 && s >= least)
  return minimize(
    elements,
    family,
    [Math.max(from, least), to],
    starts.map((s) => ({ family, scale: s })),
    least
  )
}

/**
 * The scale and the integer zero-point of the smallest squared error together.
 *
 * - formula:  `argmin over s > 0 and integers z of the range of sum (x - s * (clamp(round(x / s) + z, low, high) - z))^2`
 * - shapes:   `x [n] -> numbers`
 * - gradient: none
 * - errors:   none; NaN for elements that are not finite, scale 0 for all zeros
 * - source:   as `scale`; Jacob et al. 2018, arXiv:1712.05877, for zero-points
 *
 * @category optimal
 * @since 0.2.0
 */
export const scaleAndZeroPoint = (x: Float32Array, range: Range): Optimum => {
  const { low, high } = range
  if (!x.every(Number.isFinite)) return notFinite
  const of = (from: number, to: number): Family => {
    const levels = integers({ low: low - to, high: high - from })
    if (from === to) return { levels, zeroPoint: from, spread: 0 }
    const middle = Math.floor((from + to) / 2)
    const halves = () => [of(from, middle), of(middle + 1, to)] as const
    return { levels, zeroPoint: from, spread: (to - from) / (high - low), halves }
  }
  const [min, max, smallest, largest] = extremes(x)
  if (largest === 0) return { scale: 0, zeroPoint: low, error: 0 }
  const starts = parts.map((part) => {
    const s = (part * (max - min)) / (high - low)
    const zeroPoint = Math.min(high, Math.max(low, Math.round(low - min / s)))
    return { family: of(zeroPoint, zeroPoint), scale: s }
  })
  return minimize(
    Float64Array.from(x),
    of(low, high),
    [(0.999 * smallest) / (high - low + 0.5), 2.002 * largest],
    starts
  )
}

/**
 * The integer zero-point of the smallest squared error for a given scale; the lowest one of equal ones.
 *
 * - formula:  `argmin over integers z of the range of sum (x - s * (clamp(round(x / s) + z, low, high) - z))^2`
 * - shapes:   `x [n] -> a number`
 * - gradient: none
 * - errors:   none; NaN for elements or a scale that are not finite, `low` for a scale of 0
 * - source:   Jacob et al. 2018, arXiv:1712.05877
 *
 * @category optimal
 * @since 0.2.0
 */
export const zeroPoint = (x: Float32Array, scale: number, range: Range): number => {
  const { low, high } = range
  if (!(x.every(Number.isFinite) && Number.isFinite(scale))) return Number.NaN
  if (scale <= 0) return low
  const elements = Float64Array.from(x)
  const errors = Array.from(
    { length: high - low + 1 },
    (_, i) => pieceAt(elements, integers(range, low + i), scale).error
  )
  return low + errors.indexOf(errors.reduce((a, b) => Math.min(a, b)))
}
