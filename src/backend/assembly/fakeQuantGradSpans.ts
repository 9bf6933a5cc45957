/** The loops of `fakeQuantGrad`: elements with one scale and one zero-point. */
import { back, front } from "./double"
import { rounded } from "./integer"

/** The number of bytes over which sums are in single precision. */
export const span: usize = 128

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
function spans(
  x: usize, dy: usize, dx: usize, bytes: usize, s: v128, z: v128, under: v128, over: v128, sums: usize, plain: bool
): usize {
  const whole = bytes & ~31
  let at: usize = 0
  while (at < whole) {
    const end = min(at + span, whole)
    let most = under
    let least = over
    let sum0 = f32x4.splat(0)
    let sum1 = sum0
    for (let i = at; i < end; i += 32) {
      const u0 = f32x4.div(v128.load(x + i), s)
      const w0 = plain ? u0 : f32x4.add(u0, z)
      const g0 = v128.load(dy + i)
      v128.store(dx + i, g0)
      most = f32x4.pmax(most, w0)
      least = f32x4.pmin(least, w0)
      const q0 = plain ? f32x4.nearest(u0) : f32x4.sub(f32x4.nearest(w0), z)
      sum0 = f32x4.add(sum0, f32x4.mul(g0, f32x4.sub(q0, u0)))
      const u1 = f32x4.div(v128.load(x + i, 16), s)
      const w1 = plain ? u1 : f32x4.add(u1, z)
      const g1 = v128.load(dy + i, 16)
      v128.store(dx + i, g1, 16)
      most = f32x4.pmax(most, w1)
      least = f32x4.pmin(least, w1)
      const q1 = plain ? f32x4.nearest(u1) : f32x4.sub(f32x4.nearest(w1), z)
      sum1 = f32x4.add(sum1, f32x4.mul(g1, f32x4.sub(q1, u1)))
    }
    if (v128.any_true(v128.or(f32x4.ge(most, over), f32x4.le(least, under)))) return at
    sum0 = f32x4.add(sum0, sum1)
    addTo(sums + toScale, f64x2.add(front(sum0), back(sum0)))
    at = end
  }
  return at
}

/** As long as all rounds to what is within the bounds: how many bytes that were. What follows has been overwritten in dx. */
export function hopeful(
  x: usize, dy: usize, dx: usize, bytes: usize, s: v128, z: v128, under: v128, over: v128, sums: usize
): usize {
  if (f32x4.extract_lane(z, 0) == 0) return spans(x, dy, dx, bytes, s, z, under, over, sums, true)
  return spans(x, dy, dx, bytes, s, z, under, over, sums, false)
}

@inline
function span1(
  x: usize, dy: usize, dx: usize, bytes: usize, s: v128, z: v128, low: v128, high: v128, cut: v128, kind: i32,
  sums: usize
): void {
  const none = f64x2.splat(0)
  let sum = f32x4.splat(0)
  let lower = sum
  let upper = sum
  for (let i: usize = 0; i < bytes; i += 16) {
    const u = f32x4.div(v128.load(x + i), s)
    const w = rounded(f32x4.add(u, z), kind)
    const capped = f32x4.pmin(w, high)
    const below = v128.and(f32x4.lt(capped, low), cut)
    const beyond = v128.or(below, v128.and(f32x4.gt(w, high), cut))
    const g = v128.load(dy + i)
    v128.store(dx + i, v128.andnot(g, beyond))
    lower = f32x4.add(lower, v128.and(g, below))
    upper = f32x4.add(upper, v128.andnot(v128.and(g, beyond), below))
    const q = f32x4.sub(f32x4.pmax(capped, low), z)
    sum = f32x4.add(sum, f32x4.mul(g, f32x4.sub(q, v128.andnot(u, beyond))))
  }
  addTo(sums + toScale, f64x2.add(front(sum), back(sum)))
  // sums of nothing are 0, also where s is not finite
  const below = f64x2.add(front(lower), back(lower))
  const above = f64x2.add(front(upper), back(upper))
  const some = v128.or(f64x2.ne(below, none), f64x2.ne(above, none))
  if (v128.any_true(some)) {
    const scale = front(s)
    const lows = v128.and(f64x2.mul(below, scale), f64x2.ne(below, none))
    const highs = v128.and(f64x2.mul(above, scale), f64x2.ne(above, none))
    addTo(sums + toLow, lows)
    addTo(sums + toHigh, highs)
    addTo(sums + toZero, f64x2.sub(f64x2.neg(lows), highs))
  }
}

/** All of at most one span, a whole number of vectors; `cut` is none of the bits where the clamp passes the gradient, else all. */
export function careful(
  x: usize, dy: usize, dx: usize, bytes: usize, s: v128, z: v128, low: v128, high: v128, cut: v128, kind: i32,
  sums: usize
): void {
  if (kind == 0) span1(x, dy, dx, bytes, s, z, low, high, cut, 0, sums)
  else span1(x, dy, dx, bytes, s, z, low, high, cut, kind, sums)
}
