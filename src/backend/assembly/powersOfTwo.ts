/**
 * Powers of two: division by them is a multiplication with the reciprocal, to the bit; and where logarithms in float32 round up.
 */

/** The reciprocals of powers of two, by their bits. */
@inline
export function reciprocal(s: v128): v128 {
  return i32x4.sub(i32x4.splat(0x7f000000), s)
}

/** Whether all numbers are powers of two, with reciprocals that are normal numbers. */
export function allPowers(at: usize, count: usize): bool {
  const end = at + (count << 2)
  const least = i32x4.splat(0x00800000)
  let wrong = i32x4.splat(0)
  for (; at < end; at += 16) {
    const bits = i32x4.sub(at + 16 <= end ? v128.load(at) : v128.load32_splat(at), least)
    if (at + 16 > end) at -= 12
    wrong = v128.or(wrong, v128.and(bits, i32x4.splat(0x007fffff)))
    wrong = v128.or(wrong, i32x4.gt_u(bits, i32x4.splat(0x7d000000)))
  }
  return !v128.any_true(wrong)
}

/** From this mantissa on a logarithm may round up to a whole number in float32. */
export const nearlyTwo: i32 = 0x7fffff - 63

/**
 * 1 in the exponent, where `floor(log2 x)` is one more than the exponent of x: log2 rounds to float32 before the floor. Not at the
 * largest exponent, beyond which there is no power of two.
 */
export function raised(bits: i32): i32 {
  const below = 0x800000 - (bits & 0x7fffff)
  const exponent = bits & 0x7f800000
  if (below > 64 || exponent >= 0x7f000000) return 0
  const t = <f64>below / 16777216
  const whole = <f64>((exponent >> 23) - 126)
  return <f64><f32>(whole - (t + t * t * 0.5) * 1.4426950408889634) == whole ? 0x00800000 : 0
}

/** Exponents in place, of `floor(log2 |u|)`. */
@inline
export function exponents(u: v128): v128 {
  const all = v128.and(u, i32x4.splat(0x7f800000))
  const near = i32x4.gt_s(v128.and(u, i32x4.splat(0x007fffff)), i32x4.splat(nearlyTwo - 1))
  return v128.any_true(near) ? i32x4.add(all, lifts(u)) : all
}

function lifts(u: v128): v128 {
  let all = i32x4.splat(0)
  all = i32x4.replace_lane(all, 0, raised(i32x4.extract_lane(u, 0)))
  all = i32x4.replace_lane(all, 1, raised(i32x4.extract_lane(u, 1)))
  all = i32x4.replace_lane(all, 2, raised(i32x4.extract_lane(u, 2)))
  return i32x4.replace_lane(all, 3, raised(i32x4.extract_lane(u, 3)))
}

/** `log2 x` of a positive, finite number: the very steps of `tensor/Float32.ts`. */
function log2(x: f64): f64 {
  const bits = reinterpret<u64>(x)
  const mantissa = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000)
  const upper = mantissa > 1.4142135623730951
  const m = upper ? mantissa * 0.5 : mantissa
  const s = (m - 1) / (m + 1)
  const square = s * s
  let sum: f64 = 1.0 / 25.0
  for (let k = 23; k >= 1; k -= 2) sum = sum * square + 1.0 / <f64>k
  return <f64>((<i32>(bits >>> 52)) - (upper ? 1022 : 1023)) + s * sum * (2.0 / 0.6931471805599453)
}

function powerOf(x: f32, kind: i32): f32 {
  if (!(x > 0 && x < f32.POSITIVE_INFINITY)) return x >= 0 ? x * x : f32.NaN
  const l = <f32>log2(<f64>x)
  const n = <i64>(kind == 0 ? nearest(l) : kind == 1 ? floor(l) : ceil(l))
  return <f32>reinterpret<f64>((n + 1023) << 52)
}

/** `2^round(log2 x)`, the logarithm rounded to float32 before it is rounded to a whole number: nearest (0), down (1), up (2). */
export function powerOfTwo(x: usize, y: usize, size: usize, kind: i32): void {
  // from which mantissa on the exponent rises: what is close to it, or no normal number, takes the long way
  const border = kind == 0 ? 0x3504f3 : kind == 1 ? 0x800000 : 0
  const end = x + (size << 2)
  for (; x + 16 <= end; x += 16, y += 16) {
    const v = v128.load(x)
    const mantissa = v128.and(v, i32x4.splat(0x7fffff))
    const from = v128.and(i32x4.sub(mantissa, i32x4.splat(border - 128)), i32x4.splat(0x7fffff))
    const near = v128.and(i32x4.lt_s(from, i32x4.splat(256)), i32x4.gt_s(mantissa, i32x4.splat(0)))
    const odd = v128.or(i32x4.lt_s(v, i32x4.splat(0x00800000)), i32x4.ge_s(v, i32x4.splat(0x7f800000)))
    if (v128.any_true(v128.or(near, odd)))
      for (let i: usize = 0; i < 16; i += 4) store<f32>(y + i, powerOf(load<f32>(x + i), kind))
    else
      v128.store(y, i32x4.sub(v128.andnot(v, i32x4.splat(0x7fffff)), i32x4.shl(i32x4.gt_s(mantissa, i32x4.splat(border)), 23)))
  }
  for (; x < end; x += 4, y += 4) store<f32>(y, powerOf(load<f32>(x), kind))
}

/** No magnitude below a bound; zeros become the positive one. */
export function atLeast(x: usize, y: usize, size: usize, bound: f32): void {
  const least = f32x4.splat(bound)
  const end = x + (size << 2)
  for (; x + 16 <= end; x += 16, y += 16) v128.store(y, raisedTo(v128.load(x), least))
  for (; x < end; x += 4, y += 4) v128.store32_lane(y, raisedTo(v128.load32_zero(x), least), 0)
}

@inline
function raisedTo(v: v128, least: v128): v128 {
  const small = f32x4.lt(v128.and(v, i32x4.splat(0x7fffffff)), least)
  const signed = v128.or(least, v128.and(f32x4.lt(v, f32x4.splat(0)), i32x4.splat(0x80000000)))
  return v128.bitselect(signed, v, small)
}
