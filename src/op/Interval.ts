/**
 * Sums over the elements of a tensor at a scale, and over an interval of scales: what the search of `Optimal.ts` is made of.
 *
 * Room: op (level 1). Imports: `tensor`, `./Levels.ts`. Laws: test/op/Optimal.test.ts.
 */
import * as Order from "../tensor/Order.ts"
import { type Levels, nearest } from "./Levels.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** One end of an interval of scales: the nearest level of each element, and what is left of the element. */
export interface End {
  readonly scale: number
  readonly index: Int32Array
  readonly rest: Float64Array
}

/** What is known of an interval. */
export interface Bound {
  /** no scale of the interval has a smaller error */
  readonly lower: number
  /** how often an element crosses the middle of two levels */
  readonly breakpoints: number
}

/** Sums over a piece, where the nearest levels g of all elements stay the same. */
export interface Piece {
  /** `sum x * g` */
  readonly a: number
  /** `sum g^2` */
  readonly b: number
  /** `sum (x - s * g)^2` at the scale that was asked for */
  readonly error: number
}

/** A scale, and how much of `sum x^2` it explains. */
export interface Peak {
  readonly scale: number
  readonly gain: number
}

// ---- operations ---------------------------------------------------------------------------------------------

/**
 * The end of an interval; between two others the nearest levels are between theirs.
 *
 * - formula:  `index = argmin over i of |x - scale * values[i]|`, `rest = x - scale * values[index]`
 * - shapes:   `x [n] -> index, rest [n]`
 * - gradient: none
 * - errors:   none
 * - source:   the definition of quantization
 *
 * @category optimal
 * @since 0.2.0
 */
export const endAt = (x: Float64Array, levels: Levels, scale: number, between?: readonly [End, End]): End => {
  const { values, even } = levels
  const index = new Int32Array(x.length)
  const rest = new Float64Array(x.length)
  const inverse = 1 / scale
  if (even) {
    const [first, last] = [values[0] as number, values.length - 1]
    for (let i = 0; i < x.length; i++) {
      const v = x[i] as number
      const above = v * inverse - first
      const j = above > 0 ? (above < last ? Math.floor(above + 0.5) : last) : 0
      index[i] = j
      rest[i] = v - scale * (first + j)
    }
    return { scale, index, rest }
  }
  for (let i = 0; i < x.length; i++) {
    const v = x[i] as number
    const [p, q] = between === undefined ? [0, values.length - 1] : [between[0].index[i], between[1].index[i]]
    const j =
      p === q
        ? (p as number)
        : nearest(levels, v * inverse, Math.min(p as number, q as number), Math.max(p as number, q as number))
    index[i] = j
    rest[i] = v - scale * (values[j] as number)
  }
  return { scale, index, rest }
}

/**
 * A lower bound of the error over an interval, and how many breakpoints it has.
 *
 * - formula:  `sum min(rest(from), rest(to))^2` over the elements that pass no level in between
 * - shapes:   `rest, index [n] twice -> numbers`
 * - gradient: none
 * - errors:   none
 * - source:   `Optimal.ts` says why
 *
 * @category optimal
 * @since 0.2.0
 */
export const boundOf = (left: End, right: End): Bound => {
  let [lower, breakpoints] = [0, 0]
  for (let i = 0; i < left.rest.length; i++) {
    const [p, q] = [left.rest[i] as number, right.rest[i] as number]
    const apart = (left.index[i] as number) - (right.index[i] as number)
    breakpoints += apart < 0 ? -apart : apart
    // whether no level is passed: the same one stays on the same side, or both ends are in between two neighbours
    if (apart === 0 ? p * q > 0 : apart === 1 ? p < 0 && q > 0 : apart === -1 && p > 0 && q < 0) {
      lower += Math.min(p * p, q * q)
    }
  }
  return { lower, breakpoints }
}

/**
 * The sums of the piece that a scale lies in.
 *
 * - formula:  `a = sum x * g`, `b = sum g^2`, `error = sum (x - s * g)^2`
 * - shapes:   `x, index, rest [n] -> numbers`
 * - gradient: none
 * - errors:   none
 * - source:   Lloyd 1982, doi:10.1109/TIT.1982.1056489
 *
 * @category optimal
 * @since 0.2.0
 */
export const pieceOf = (x: Float64Array, { values }: Levels, { index, rest }: End): Piece => {
  let [a, b, error] = [0, 0, 0]
  for (let i = 0; i < x.length; i++) {
    const level = values[index[i] as number] as number
    a += (x[i] as number) * level
    b += level * level
    error += (rest[i] as number) * (rest[i] as number)
  }
  return { a, b, error }
}
/**
 * The same for a scale by itself.
 *
 * - formula:  as `pieceOf`
 * - shapes:   `x [n] -> numbers`
 * - gradient: none
 * - errors:   none
 * - source:   as `pieceOf`
 *
 * @category optimal
 * @since 0.2.0
 */
export const pieceAt = (x: Float64Array, levels: Levels, scale: number): Piece =>
  pieceOf(x, levels, endAt(x, levels, scale))

/**
 * The best scale of all pieces that an interval meets, whether or not it lies in its own piece.
 *
 * - formula:  `max over pieces of s * (2 * a - s * b)`, `s = max(a / b, least)`: `a^2 / b` where `least` does not matter
 * - shapes:   `x [n], ends [n] -> numbers`
 * - gradient: none
 * - errors:   none
 * - source:   a sweep over sorted breakpoints, as for functions in pieces in general; `Optimal.ts`
 *
 * @category optimal
 * @since 0.2.0
 */
export const sweep = (
  x: Float64Array,
  levels: Levels,
  ends: readonly [End, End],
  breakpoints: number,
  least: number
): Peak => {
  const [left, right] = ends
  const { values } = levels
  const at = new Float64Array(breakpoints)
  const [da, db] = [new Float64Array(breakpoints), new Float64Array(breakpoints)]
  let n = 0
  for (let i = 0; i < x.length; i++) {
    const v = x[i] as number
    const end = right.index[i] as number
    let j = left.index[i] as number
    const step = end > j ? 1 : -1
    for (; j !== end; j += step) {
      const [before, after] = [values[j] as number, values[j + step] as number]
      at[n] = (2 * v) / (before + after)
      da[n] = v * (after - before)
      db[n++] = after * after - before * before
    }
  }
  let { a, b } = pieceOf(x, levels, left)
  let [gain, scale] = [0, 0]
  const look = (): void => {
    if (!(a > 0 && b > 0)) return
    const s = a > b * least ? a / b : least
    const now = s * (2 * a - s * b)
    if (now > gain) {
      gain = now
      scale = s
    }
  }
  look()
  for (const place of Order.ascending(at)) {
    a += da[place] as number
    b += db[place] as number
    look()
  }
  return { gain, scale }
}
