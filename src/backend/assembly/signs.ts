/**
 * The signs that are multiplied with a scale, four at a time.
 *
 * Kinds: 0 the sign, 0 counting as positive; 1 the same of `clamp(x, -s, s)`, by whose selection gradients go; 2 the same of a clamp
 * that passes them; 3 the sign where `|x| > t * s`, else 0.
 */

@inline
export function ones(where: v128): v128 {
  return v128.and(where, f32x4.splat(1))
}

/** 1 where a magnitude is beyond the threshold, else 0. */
@inline
export function beyond(v: v128, s: v128, t: v128): v128 {
  return ones(f32x4.gt(f32x4.abs(v), f32x4.mul(s, t)))
}

/** -1, 0 or 1, and NaN for NaN. */
@inline
export function signs(v: v128, s: v128, t: v128, kind: i32): v128 {
  const none = f32x4.splat(0)
  if (kind == 3)
    return v128.or(
      f32x4.mul(beyond(v, s, t), f32x4.sub(ones(f32x4.gt(v, none)), ones(f32x4.lt(v, none)))),
      f32x4.ne(v, v)
    )
  const c = kind == 0 ? v : f32x4.pmax(f32x4.pmin(v, s), f32x4.neg(s))
  return v128.or(v128.bitselect(f32x4.splat(1), f32x4.splat(-1), f32x4.ge(c, none)), f32x4.ne(v, v))
}

/** What of the gradient d of a clamped value goes to its bounds, which are the scale. */
@inline
export function toBounds(v: v128, s: v128, d: v128): v128 {
  const under = f32x4.lt(f32x4.pmin(v, s), f32x4.neg(s))
  const over = v128.andnot(f32x4.gt(v, s), under)
  return f32x4.sub(v128.and(d, over), v128.and(d, under))
}

/** Where a clamp hands on its gradient. */
@inline
export function within(v: v128, s: v128): v128 {
  return v128.not(v128.or(f32x4.lt(f32x4.pmin(v, s), f32x4.neg(s)), f32x4.gt(v, s)))
}
