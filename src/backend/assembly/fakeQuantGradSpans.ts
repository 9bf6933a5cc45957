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

/** One vector: its part of the scale's sum. What is beyond the bounds is masked, not branched to: how much that is costs nothing. */
@inline
function vector(x: usize, dy: usize, dx: usize, s: v128, z: v128, low: v128, high: v128, free: v128, plain: bool): v128 {
  const u = f32x4.div(v128.load(x), s)
  const w = f32x4.nearest(plain ? u : f32x4.add(u, z))
  const q = f32x4.pmax(f32x4.pmin(w, high), low)
  const g = v128.load(dy)
  const within = v128.or(f32x4.eq(w, q), free)
  v128.store(dx, v128.and(g, within))
  return f32x4.mul(g, f32x4.sub(plain ? q : f32x4.sub(q, z), v128.and(u, within)))
}

/** To nearest, without sums beyond the bounds. NaN, which would count as beyond, makes the sum NaN: then it is of no use, and false. */
@inline
function usual(
  x: usize, dy: usize, dx: usize, bytes: usize, s: v128, z: v128, low: v128, high: v128, free: v128, sums: usize, plain: bool
): bool {
  let all = f64x2.splat(0)
  const end = x + (bytes & ~31)
  dy -= x
  dx -= x
  while (x < end) {
    let sum0 = f32x4.splat(0)
    let sum1 = sum0
    for (const stop = min(x + span, end); x < stop; x += 32) {
      sum0 = f32x4.add(sum0, vector(x, dy + x, dx + x, s, z, low, high, free, plain))
      sum1 = f32x4.add(sum1, vector(x + 16, dy + x + 16, dx + x + 16, s, z, low, high, free, plain))
    }
    all = f64x2.add(all, doubled(f32x4.add(sum0, sum1)))
  }
  if (bytes & 16) all = f64x2.add(all, doubled(vector(x, dy + x, dx + x, s, z, low, high, free, plain)))
  if (v128.any_true(f64x2.ne(all, all))) return false
  addTo(sums + toScale, all)
  return true
}

/** All cases. */
function other(
  x: usize, dy: usize, dx: usize, bytes: usize, s: v128, z: v128, low: v128, high: v128, cut: v128,
  sums: usize, kind: i32
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
      const below = v128.and(f32x4.lt(capped, low), cut)
      const above = v128.andnot(v128.and(f32x4.gt(w, high), cut), below)
      const beyond = v128.or(below, above)
      lower = f32x4.add(lower, v128.and(g, below))
      upper = f32x4.add(upper, v128.and(g, above))
      v128.store(dx, v128.andnot(g, beyond))
      sum = f32x4.add(sum, f32x4.mul(g, f32x4.sub(f32x4.sub(q, z), v128.andnot(u, beyond))))
    }
    all = f64x2.add(all, doubled(sum))
    belows = f64x2.add(belows, doubled(lower))
    aboves = f64x2.add(aboves, doubled(upper))
  }
  addTo(sums + toScale, all)
  const lows = scaled(belows, s)
  const highs = scaled(aboves, s)
  addTo(sums + toLow, lows)
  addTo(sums + toHigh, highs)
  addTo(sums + toZero, f64x2.sub(f64x2.neg(lows), highs))
}

/**
 * A whole number of vectors; `cut` is none of the bits where the clamp passes the gradient, else all. `bounds` is whether the sums
 * beyond the bounds are asked for and not 0.
 */
export function spans(
  x: usize, dy: usize, dx: usize, bytes: usize, s: v128, z: v128, low: v128, high: v128, cut: v128,
  sums: usize, kind: i32, bounds: bool
): void {
  if (kind == 0 && !bounds) {
    if (f32x4.extract_lane(z, 0) == 0) {
      if (usual(x, dy, dx, bytes, s, z, low, high, v128.not(cut), sums, true)) return
    } else if (usual(x, dy, dx, bytes, s, z, low, high, v128.not(cut), sums, false)) return
  }
  other(x, dy, dx, bytes, s, z, low, high, cut, sums, kind)
}
