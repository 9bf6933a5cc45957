/** The largest magnitude of all elements, NaN if there is one and of nothing; and its gradient, shared among all that attain it. */

/** Magnitudes are ordered as their bits are, and NaN is above all. */
@inline
function magnitude(v: v128): v128 {
  return v128.and(v, i32x4.splat(0x7fffffff))
}

export function absMax(x: usize, size: usize, y: usize): void {
  const end = x + (size << 2)
  let a = i32x4.splat(0)
  let b = a
  let c = a
  let d = a
  for (; x + 64 <= end; x += 64) {
    a = i32x4.max_s(a, magnitude(v128.load(x)))
    b = i32x4.max_s(b, magnitude(v128.load(x, 16)))
    c = i32x4.max_s(c, magnitude(v128.load(x, 32)))
    d = i32x4.max_s(d, magnitude(v128.load(x, 48)))
  }
  for (; x < end; x += 4) a = i32x4.max_s(a, magnitude(v128.load32_zero(x)))
  a = i32x4.max_s(i32x4.max_s(a, b), i32x4.max_s(c, d))
  a = i32x4.max_s(a, i64x2.shuffle(a, a, 1, 0))
  const most = max<i32>(i32x4.extract_lane(a, 0), i32x4.extract_lane(a, 1))
  if (size == 0) store<f32>(y, f32.NaN)
  else store<i32>(y, most)
}

/** Where a magnitude is the largest one, which is above `less`; everywhere NaN is, if that is it. */
@inline
function hits(v: v128, less: v128): v128 {
  return i32x4.gt_s(magnitude(v), less)
}

/** `share`, with the sign of v turned over it, where it hits, else 0; no signs where the maximum is 0 or NaN. */
@inline
function shared(v: v128, less: v128, share: v128, signs: v128): v128 {
  return v128.and(v128.xor(share, v128.and(v, signs)), hits(v, less))
}

export function absMaxGrad(x: usize, size: usize, extremum: usize, dy: usize, dx: usize): void {
  const bits = load<i32>(extremum) & 0x7fffffff
  const less = i32x4.splat(bits > 0x7f800000 ? 0x7f800000 : bits - 1)
  const bytes = size << 2
  let counts = i32x4.splat(0)
  let at: usize = 0
  for (; at + 16 <= bytes; at += 16) counts = i32x4.sub(counts, hits(v128.load(x + at), less))
  for (; at < bytes; at += 4) {
    const hit = hits(v128.load32_splat(x + at), less)
    counts = i32x4.sub(counts, v128.and(hit, i32x4(-1, 0, 0, 0)))
  }
  const count =
    i32x4.extract_lane(counts, 0) + i32x4.extract_lane(counts, 1) +
    i32x4.extract_lane(counts, 2) + i32x4.extract_lane(counts, 3)
  const part = <f32>(<f64>load<f32>(dy) / <f64>count)
  // 0 and NaN have no sign, so that nothing of the gradient is left: 0, unless it is not finite itself
  const slopes = load<f32>(extremum) > 0
  const share = f32x4.splat(slopes ? part : part * 0)
  const signs = i32x4.splat(slopes ? 0x80000000 : 0)
  for (at = 0; at + 16 <= bytes; at += 16) v128.store(dx + at, shared(v128.load(x + at), less, share, signs))
  for (; at < bytes; at += 4) v128.store32_lane(dx + at, shared(v128.load32_zero(x + at), less, share, signs), 0)
}
