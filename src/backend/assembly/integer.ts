/**
 * From floats to integers of a range: the steps that value and gradient share, four elements at a time.
 *
 * Selections are the definition's own (`high < x ? high : x`), so that NaN passes.
 */

/**
 * Four times a number, through memory that may be overwritten. V8 computes a constant of a loop anew in each turn, unless it comes
 * out of memory: divisions would then be the smaller part of the work.
 */
@inline
export function kept(room: usize, v: f32): v128 {
  store<f32>(room, v)
  return v128.load32_splat(room)
}

/** The roundings by their numbers: to nearest (ties to even), down, up, towards zero (zero without a sign). */
@inline
export function rounded(v: v128, kind: i32): v128 {
  if (kind == 0) return f32x4.nearest(v)
  if (kind == 1) return f32x4.floor(v)
  if (kind == 2) return f32x4.ceil(v)
  return v128.andnot(f32x4.trunc(v), f32x4.eq(v, f32x4.splat(0)))
}

/** Between bounds. */
@inline
export function clamped(v: v128, low: v128, high: v128): v128 {
  return f32x4.pmax(f32x4.pmin(v, high), low)
}

/** Added to what is clamped: +0, which takes the sign of zeros, where the bounds are in order and one of them is 0; else nothing. */
@inline
export function zeroOf(low: f32, high: f32): f32 {
  return low <= high && (low == 0 || high == 0) ? <f32>0 : <f32>-0.0
}
