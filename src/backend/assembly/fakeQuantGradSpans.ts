/** The loops of `fakeQuantGrad`: elements with one scale and one zero-point. */
import { back, front } from "./double"
import { rounded } from "./integer"

/** The number of bytes over which sums are in single precision. */
const span: usize = 128

/** Where the sums lie, two doubles each, behind three vectors for other use. */
export const toScale: usize = 48
export const toZero: usize = 64
export const toLow: usize = 80
export const toHigh: usize = 96

@inline
function addTo(sum: usize, v: v128): void {
  v128.store(sum, f64x2.add(v128.load(sum), v))
}

@inline
function doubled(v: v128): v128 {
  return f64x2.add(front(v), back(v))
}

/** Sums of nothing are 0, also where s is not finite. */
@inline
function scaled(sum: v128, s: v128): v128 {
  return v128.and(f64x2.mul(sum, front(s)), f64x2.ne(sum, f64x2.splat(0)))
}

/** What is beyond the bounds is masked, not branched to: how much that is costs nothing. */
@inline
function loop(
  x: usize, dy: usize, dx: usize, bytes: usize, s: v128, z: v128, low: v128, high: v128, cut: v128,
  sums: usize, kind: i32, bounds: bool
): void {
  let all = f64x2.splat(0)
  let belows = all
  let aboves = all
  for (const end = x + bytes; x < end; ) {
    let sum = f32x4.splat(0)
    let lower = sum
    let upper = sum
    for (const stop = min(x + span, end); x < stop; x += 16, dy += 16, dx += 16) {
      const u = f32x4.div(v128.load(x), s)
      const w = rounded(f32x4.add(u, z), kind)
      const capped = f32x4.pmin(w, high)
      const q = f32x4.pmax(capped, low)
      const g = v128.load(dy)
      // NaN is within
      let beyond = v128.or(f32x4.gt(w, high), f32x4.lt(capped, low))
      if (bounds) {
        const below = v128.and(f32x4.lt(capped, low), cut)
        beyond = v128.and(beyond, cut)
        lower = f32x4.add(lower, v128.and(g, below))
        upper = f32x4.add(upper, v128.andnot(v128.and(g, beyond), below))
      }
      v128.store(dx, v128.andnot(g, beyond))
      sum = f32x4.add(sum, f32x4.mul(g, f32x4.sub(f32x4.sub(q, z), v128.andnot(u, beyond))))
    }
    all = f64x2.add(all, doubled(sum))
    if (bounds) {
      belows = f64x2.add(belows, doubled(lower))
      aboves = f64x2.add(aboves, doubled(upper))
    }
  }
  addTo(sums + toScale, all)
  if (bounds) {
    const lows = scaled(belows, s)
    const highs = scaled(aboves, s)
    addTo(sums + toLow, lows)
    addTo(sums + toHigh, highs)
    addTo(sums + toZero, f64x2.sub(f64x2.neg(lows), highs))
  }
}

/**
 * A whole number of vectors; `cut` is none of the bits where the clamp passes the gradient, else all. `bounds` is whether the sums
 * beyond the bounds are asked for, without which `cut` is all.
 */
export function spans(
  x: usize, dy: usize, dx: usize, bytes: usize, s: v128, z: v128, low: v128, high: v128, cut: v128,
  sums: usize, kind: i32, bounds: bool
): void {
  if (kind != 0) loop(x, dy, dx, bytes, s, z, low, high, cut, sums, kind, true)
  else if (bounds) loop(x, dy, dx, bytes, s, z, low, high, cut, sums, 0, true)
  else loop(x, dy, dx, bytes, s, z, low, high, cut, sums, 0, false)
}
