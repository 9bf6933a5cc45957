/** Four floats as doubles, for sums. */

/** The first two. */
@inline
export function front(v: v128): v128 {
  return f64x2.promote_low_f32x4(v)
}

/** The last two. */
@inline
export function back(v: v128): v128 {
  return f64x2.promote_low_f32x4(i64x2.shuffle(v, v, 1, 1))
}

@inline
export function total(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1)
}
