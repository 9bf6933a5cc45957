/**
 * Rounding to nearest of `x / s` with every second division replaced by a product with `r = fl(1 / s)`, bit for bit the same.
 *
 * Four divisions take twelve cycles of the divider on current processors, and the rest of the work does not fill them; products that
 * go on meanwhile do. A product rounds to another integer than the quotient only near a tie, which is looked for, in blocks of 32
 * elements; such a block is done again with divisions. Why this is exact, with `B = max(|low|, |high|) <= 2^17`:
 *
 * - r has a relative error of at most 2^-24, as have product and quotient, so that for `|x / s| <= B + 1` they are less than
 *   `4 * 2^-24 * (B + 1)` apart (where one is subnormal, 2^-149 more). `w - round(w)` is exact. If the product's distance from its
 *   integer is below `1/2 - 8 * 2^-24 * (B + 1)`, then no tie lies between it and the quotient.
 * - Beyond `B + 1` both round to more than B in magnitude, and become the same bound. NaN and infinities are the same in both, as is
 *   the sign.
 * - With a zero-point +0, `-0 + 0` is +0: product and quotient must be 0 for the same x. x is `k * 2^-149`; the quotient is 0 if
 *   `2k <= |s|`, the product if `2k <= 1 / |r|`. An even number between the two that is not s itself were at least one unit in the last
 *   place away from s, but `1 / |r|` is nearer. So s must not be an even number.
 */
import { kept } from "./integer"

/** From which number of elements it pays. */
export const long: usize = 64

/** Whether it is exact for this scale, zero-point and range, and the loops below know them: no zero-point, or +0, and both signs. */
@inline
export function saves(s: f32, z: f32, low: f32, high: f32): bool {
  const size = abs(s)
  return (
    reinterpret<i32>(z) == 0 && low < 0 && high > 0 && low >= -131072 && high <= 131072 &&
    size > 1e-30 && size < 1e30 && nearest(size * 0.5) * 2 != size
  )
}

@inline
function put(y: usize, q: v128, s: v128, low: v128, high: v128): void {
  v128.store(y, f32x4.mul(f32x4.pmax(f32x4.pmin(q, high), low), s))
}

@inline
function divided(x: usize, y: usize, s: v128, low: v128, high: v128, none: bool): void {
  const u = f32x4.div(v128.load(x), s)
  put(y, f32x4.nearest(none ? u : f32x4.add(u, f32x4.splat(0))), s, low, high)
}

/** Answers the largest distance from an integer. */
@inline
function multiplied(
  x: usize, y: usize, r: v128, s: v128, low: v128, high: v128, most: v128, magnitude: v128, none: bool
): v128 {
  const u = f32x4.mul(v128.load(x), r)
  const w = none ? u : f32x4.add(u, f32x4.splat(0))
  const q = f32x4.nearest(w)
  put(y, q, s, low, high)
  return f32x4.pmax(most, v128.and(f32x4.sub(w, q), magnitude))
}

@inline
function blocks(x: usize, y: usize, bytes: usize, scale: f32, least: f32, most: f32, none: bool): void {
  const s = kept(y, scale)
  const r = kept(y, 1 / scale)
  const low = kept(y, least)
  const high = kept(y, most)
  const magnitude = kept(y, reinterpret<f32>(0x7fffffff))
  const limit = kept(y, 0.5 - <f32>4.76837158203125e-7 * (max(-least, most) + 1)) // 8 * 2^-24
  for (const end = x + (bytes & ~127); x < end; ) {
    let far = f32x4.splat(0)
    divided(x, y, s, low, high, none)
    far = multiplied(x + 16, y + 16, r, s, low, high, far, magnitude, none)
    divided(x + 32, y + 32, s, low, high, none)
    far = multiplied(x + 48, y + 48, r, s, low, high, far, magnitude, none)
    divided(x + 64, y + 64, s, low, high, none)
    far = multiplied(x + 80, y + 80, r, s, low, high, far, magnitude, none)
    divided(x + 96, y + 96, s, low, high, none)
    far = multiplied(x + 112, y + 112, r, s, low, high, far, magnitude, none)
    if (v128.any_true(f32x4.ge(far, limit)))
      for (let at: usize = 16; at < 128; at += 32) divided(x + at, y + at, s, low, high, none)
    x += 128
    y += 128
  }
}

/** All whole blocks; `none` is whether there is no zero-point at all. */
export function fewerDivisions(x: usize, y: usize, bytes: usize, s: f32, low: f32, high: f32, none: bool): void {
  if (none) blocks(x, y, bytes, s, low, high, true)
  else blocks(x, y, bytes, s, low, high, false)
}
