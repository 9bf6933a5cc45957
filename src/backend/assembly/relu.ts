/** The positive part and its gradient; NaN passes both, since no comparison is true of it. */

export function relu(x: usize, size: usize, y: usize): void {
  const zero = f32x4.splat(0)
  const end = x + (size << 2)
  for (; x + 16 <= end; x += 16) {
    const v = v128.load(x)
    v128.store(y, v128.andnot(v, f32x4.lt(v, zero)))
    y += 16
  }
  for (; x < end; x += 4) {
    const v = v128.load32_zero(x)
    v128.store32_lane(y, v128.andnot(v, f32x4.lt(v, zero)), 0)
    y += 4
  }
}

export function reluGrad(y: usize, size: usize, dy: usize, dx: usize): void {
  const zero = f32x4.splat(0)
  const end = y + (size << 2)
  for (; y + 16 <= end; y += 16) {
    v128.store(dx, v128.andnot(v128.load(dy), f32x4.le(v128.load(y), zero)))
    dy += 16
    dx += 16
  }
  for (; y < end; y += 4) {
    v128.store32_lane(dx, v128.andnot(v128.load32_zero(dy), f32x4.le(v128.load32_zero(y), zero)), 0)
    dy += 4
    dx += 4
  }
}
