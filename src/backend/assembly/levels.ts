/**
 * Levels times a scale: minifloats, `u = x / s`, `y = clamp(w * round(u / w)) * s` with w the step of the grid at u; and signs.
 *
 * x lies as outer x repeats x channels x inner; s is one number (step 0), or one for each outer and channel (step 1). `least` is
 * the smallest normal number of the format, by its bits; `down` is how far the step is below a power of two, as an exponent. Kinds:
 * the roundings (0 to 3), then those of `signs` (4 to 7), to which `low` is the threshold.
 */
import { kept, rounded } from "./integer"
import { allPowers, exponents, reciprocal } from "./powersOfTwo"
import { signs } from "./signs"

/** Whether values lie beyond the bounds. */
@inline
export function outside(y: v128, low: v128, high: v128): v128 {
  return v128.or(f32x4.gt(y, high), f32x4.lt(y, low))
}

/** Within the bounds; beyond them infinite (1) or NaN (2), or saturating (0). `zero` is -0, or 0, which takes the sign of zeros. */
@inline
export function held(y: v128, low: v128, high: v128, zero: v128, overflow: i32): v128 {
  const q = f32x4.add(f32x4.pmax(f32x4.pmin(y, high), low), zero)
  if (!overflow) return q
  const infinite = v128.or(v128.and(y, i32x4.splat(0x80000000)), f32x4.splat(f32.POSITIVE_INFINITY))
  return v128.bitselect(overflow == 1 ? infinite : f32x4.splat(f32.NaN), q, outside(y, low, high))
}

/** `x / s`; NaN where that is infinite. */
@inline
export function scaledDown(v: v128, s: v128, inverse: v128, exact: bool): v128 {
  const u = exact ? f32x4.mul(v, inverse) : f32x4.div(v, s)
  return v128.or(u, f32x4.sub(u, u))
}

/** Any rounding and overflow, and signs. */
function other(
  v: v128, s: v128, low: v128, high: v128, zero: v128, least: v128, down: v128,
  kind: i32, overflow: i32, exact: bool
): v128 {
  if (kind > 3) return signs(v, s, low, kind - 4)
  const u = scaledDown(v, s, reciprocal(s), exact)
  const w = i32x4.sub(i32x4.max_s(exponents(u), least), down)
  return held(f32x4.mul(w, rounded(f32x4.div(u, w), kind)), low, high, zero, overflow)
}

/**
 * To nearest, saturating: added to 1.5 * 2^23 steps, a magnitude is rounded to steps. Where the logarithm rounds up to the next power
 * of two, so does the value, by either step. Answers the largest magnitude of `x / s`: where that is no number, all is of no use.
 */
@inline
function usual(
  x: usize, y: usize, bytes: usize, scale: usize, high: v128, least: v128, far: v128, moves: usize, exact: bool
): v128 {
  const sign = kept(y, -0.0)
  const exponent = kept(y, f32.POSITIVE_INFINITY)
  const turned = kept(y, reinterpret<f32>(0x7f000000))
  let most = i32x4.splat(0)
  let s = v128.load32_splat(scale)
  let inverse = i32x4.sub(turned, s)
  for (let at: usize = 0; at + 16 <= bytes; at += 16) {
    if (moves) {
      s = v128.load(scale + at)
      if (exact) inverse = i32x4.sub(turned, s)
    }
    const v = v128.load(x + at)
    const u = exact ? f32x4.mul(v, inverse) : f32x4.div(v, s)
    const a = v128.andnot(u, sign)
    most = i32x4.max_s(most, a)
    const large = i32x4.add(i32x4.max_s(v128.and(a, exponent), least), far)
    const q = f32x4.pmin(f32x4.sub(f32x4.add(a, large), large), high)
    v128.store(y + at, f32x4.mul(v128.or(q, v128.and(u, sign)), s))
  }
  return most
}

export function levels(
  x: usize, scale: usize, y: usize,
  outer: usize, repeats: usize, channels: usize, inner: usize, step: usize,
  smallest: i32, below: i32, lowest: f32, highest: f32, kind: i32, overflow: i32
): void {
  const exact = kind < 4 && allPowers(scale, step ? outer * channels : 1)
  const each = inner == 1
  const bytes = (each ? channels : inner) << 2
  const stretches = each ? <usize>1 : channels
  const moves = each ? step : <usize>0
  if (outer * repeats * stretches * bytes == 0) return
  const low = kept(y, lowest)
  const high = kept(y, highest)
  const zero = kept(y, lowest == 0 ? <f32>0 : <f32>-0.0)
  const least = kept(y, reinterpret<f32>(smallest))
  const down = kept(y, reinterpret<f32>(below))
  const far = kept(y, reinterpret<f32>(0x0bc00000 - below))
  for (let o: usize = 0; o < outer; o++) {
    for (let r: usize = 0; r < repeats; r++)
      for (let c: usize = 0; c < stretches; c++) {
        const from = scale + ((c * step) << 2)
        let s = v128.load32_splat(from)
        let at: usize = 0
        if (kind == 0 && !overflow && lowest == -highest) {
          const most = !exact
            ? usual(x, y, bytes, from, high, least, far, moves, false)
            : moves
            ? usual(x, y, bytes, from, high, least, far, 1, true)
            : usual(x, y, bytes, from, high, least, far, 0, true)
          if (!v128.any_true(i32x4.ge_s(most, i32x4.splat(0x7f800000)))) at = bytes & ~15
        } else if (kind > 3)
          for (; at + 16 <= bytes; at += 16) {
            if (moves) s = v128.load(from + at)
            v128.store(y + at, f32x4.mul(signs(v128.load(x + at), s, low, kind - 4), s))
          }
        while (at < bytes) {
          const full = at + 16 <= bytes
          if (moves) s = full ? v128.load(from + at) : v128.load32_splat(from + at)
          const v = full ? v128.load(x + at) : v128.load32_splat(x + at)
          const q = other(v, s, low, high, zero, least, down, kind, overflow, exact)
          if (full) v128.store(y + at, f32x4.mul(q, s))
          else v128.store32_lane(y + at, f32x4.mul(q, s), 0)
          at += full ? 16 : 4
        }
        x += bytes
        y += bytes
      }
    scale += (channels * step) << 2
  }
}
