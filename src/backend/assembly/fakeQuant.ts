/**
 * `y = (clamp(round(x / s + z), low, high) - z) * s`.
 *
 * x lies as outer x repeats x channels x inner; s and z are one number (step 0), or one for each outer and channel (step 1).
 */
import { clamped, rounded, zeroOf } from "./integer"

@inline
function quantized(v: v128, s: v128, z: v128, low: v128, high: v128, zero: v128, kind: i32): v128 {
  const q = clamped(rounded(f32x4.add(f32x4.div(v, s), z), kind), low, high, zero)
  return f32x4.mul(f32x4.sub(q, z), s)
}

/** Elements with one scale and one zero-point. */
@inline
function block(
  x: usize, y: usize, bytes: usize, s: v128, z: v128, low: v128, high: v128, zero: v128, kind: i32
): void {
  let at: usize = 0
  for (; at + 32 <= bytes; at += 32) {
    v128.store(y + at, quantized(v128.load(x + at), s, z, low, high, zero, kind))
    v128.store(y + at, quantized(v128.load(x + at, 16), s, z, low, high, zero, kind), 16)
  }
  for (; at + 16 <= bytes; at += 16) v128.store(y + at, quantized(v128.load(x + at), s, z, low, high, zero, kind))
  for (; at < bytes; at += 4)
    v128.store32_lane(y + at, quantized(v128.load32_zero(x + at), s, z, low, high, zero, kind), 0)
}

/** Elements each with its own scale, zero-point, or both. */
@inline
function row(
  x: usize, y: usize, bytes: usize, scale: usize, zeroPoint: usize, scaleStep: usize, zeroStep: usize,
  low: v128, high: v128, zero: v128, kind: i32
): void {
  let at: usize = 0
  for (; at + 16 <= bytes; at += 16) {
    const s = scaleStep ? v128.load(scale + at) : v128.load32_splat(scale)
    const z = zeroStep ? v128.load(zeroPoint + at) : v128.load32_splat(zeroPoint)
    v128.store(y + at, quantized(v128.load(x + at), s, z, low, high, zero, kind))
  }
  for (; at < bytes; at += 4) {
    const s = v128.load32_splat(scale + at * scaleStep)
    const z = v128.load32_splat(zeroPoint + at * zeroStep)
    v128.store32_lane(y + at, quantized(v128.load32_zero(x + at), s, z, low, high, zero, kind), 0)
  }
}

@inline
function all(
  x: usize, scale: usize, zeroPoint: usize, lowAt: usize, highAt: usize, y: usize,
  outer: usize, repeats: usize, channels: usize, inner: usize, scaleStep: usize, zeroStep: usize, kind: i32
): void {
  const low = v128.load32_splat(lowAt)
  const high = v128.load32_splat(highAt)
  const zero = zeroOf(load<f32>(lowAt), load<f32>(highAt))
  const bytes = inner << 2
  for (let o: usize = 0; o < outer; o++) {
    for (let r: usize = 0; r < repeats; r++) {
      if (inner == 1) {
        row(x, y, channels << 2, scale, zeroPoint, scaleStep, zeroStep, low, high, zero, kind)
        x += channels << 2
        y += channels << 2
      } else
        for (let c: usize = 0; c < channels; c++) {
          const s = v128.load32_splat(scale + ((c * scaleStep) << 2))
          const z = v128.load32_splat(zeroPoint + ((c * zeroStep) << 2))
          block(x, y, bytes, s, z, low, high, zero, kind)
          x += bytes
          y += bytes
        }
    }
    scale += (channels * scaleStep) << 2
    zeroPoint += (channels * zeroStep) << 2
  }
}

export function fakeQuant(
  x: usize, scale: usize, zeroPoint: usize, low: usize, high: usize, y: usize,
  outer: usize, repeats: usize, channels: usize, inner: usize, scaleStep: usize, zeroStep: usize, kind: i32
): void {
  // the usual rounding has a loop of its own, which does not ask
  if (kind == 0) all(x, scale, zeroPoint, low, high, y, outer, repeats, channels, inner, scaleStep, zeroStep, 0)
  else all(x, scale, zeroPoint, low, high, y, outer, repeats, channels, inner, scaleStep, zeroStep, kind)
}
