/** Sums along rows of memory, in double precision, in one order. */

@inline
function low(x: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(x))
}

/** `y[j] = Σ_i x[i][j]` */
export function sumOfRows(x: usize, rows: usize, columns: usize, y: usize): void {
  const step = columns << 2
  const size = rows * step
  let j: usize = 0
  for (; j + 32 <= step; j += 32) {
    let a = f64x2.splat(0)
    let b = a
    let c = a
    let d = a
    for (let at = x + j, end = at + size; at < end; at += step) {
      a = f64x2.add(a, low(at))
      b = f64x2.add(b, low(at + 8))
      c = f64x2.add(c, low(at + 16))
      d = f64x2.add(d, low(at + 24))
    }
    v128.store64_lane(y + j, f32x4.demote_f64x2_zero(a), 0)
    v128.store64_lane(y + j, f32x4.demote_f64x2_zero(b), 0, 8)
    v128.store64_lane(y + j, f32x4.demote_f64x2_zero(c), 0, 16)
    v128.store64_lane(y + j, f32x4.demote_f64x2_zero(d), 0, 24)
  }
  for (; j < step; j += 4) {
    let sum: f64 = 0
    for (let at = x + j, end = at + size; at < end; at += step) sum += load<f32>(at)
    store<f32>(y + j, <f32>sum)
  }
}
