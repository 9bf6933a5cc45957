/**
 * `y = (clamp(round(x / s + z), low, high) - z) * s`.
 *
 * x lies as outer x repeats x channels x inner; s and z are one number (step 0), or one for each outer and channel (step 1).
 */
import { fewerDivisions, long, saves } from "./fewerDivisions"
import { clamped, kept, rounded, zeroOf } from "./integer"

/** What is added and what is subtracted is the zero-point; where there is none, -0 and +0, which change nothing. */
@inline
function quantized(v: v128, s: v128, z: v128, after: v128, low: v128, high: v128, zero: v128, kind: i32): v128 {
  const q = f32x4.add(clamped(rounded(f32x4.add(f32x4.div(v, s), z), kind), low, high), zero)
  return f32x4.mul(f32x4.sub(q, after), s)
}

/** Elements with one scale and one zero-point. The usual rounding has a loop of its own, which does not ask. */
@inline
function block(
  x: usize, y: usize, bytes: usize, s: v128, z: v128, after: v128, low: v128, high: v128, zero: v128, kind: i32
): void {
  let at: usize = 0
  if (kind == 0)
    for (; at + 32 <= bytes; at += 32) {
      v128.store(y + at, quantized(v128.load(x + at), s, z, after, low, high, zero, 0))
      v128.store(y + at, quantized(v128.load(x + at, 16), s, z, after, low, high, zero, 0), 16)
    }
  for (; at + 16 <= bytes; at += 16) v128.store(y + at, quantized(v128.load(x + at), s, z, after, low, high, zero, kind))
  for (; at < bytes; at += 4)
    v128.store32_lane(y + at, quantized(v128.load32_zero(x + at), s, z, after, low, high, zero, kind), 0)
}

/** Elements each with its own scale, zero-point, or both. */
@inline
function row(
  x: usize, y: usize, bytes: usize, scale: usize, zeroPoint: usize, scaleStep: usize, zeroStep: usize,
  one: v128, after: v128, low: v128, high: v128, zero: v128, kind: i32
): void {
  let at: usize = 0
  if (kind == 0 && scaleStep && !zeroStep)
    for (; at + 32 <= bytes; at += 32) {
      const s0 = v128.load(scale + at)
      v128.store(y + at, quantized(v128.load(x + at), s0, one, after, low, high, zero, 0))
      const s1 = v128.load(scale + at, 16)
      v128.store(y + at, quantized(v128.load(x + at, 16), s1, one, after, low, high, zero, 0), 16)
    }
  for (; at + 16 <= bytes; at += 16) {
    const s = scaleStep ? v128.load(scale + at) : v128.load32_splat(scale)
    const z = zeroStep ? v128.load(zeroPoint + at) : one
    v128.store(y + at, quantized(v128.load(x + at), s, z, zeroStep ? z : after, low, high, zero, kind))
  }
  for (; at < bytes; at += 4) {
    const s = v128.load32_splat(scale + at * scaleStep)
    const z = zeroStep ? v128.load32_splat(zeroPoint + at) : one
    v128.store32_lane(
      y + at, quantized(v128.load32_zero(x + at), s, z, zeroStep ? z : after, low, high, zero, kind), 0
    )
  }
}

/** A zero-point or a bound at the address 0 is the number that is given for it; a zero-point 0 given so is none. */
export function fakeQuant(
  x: usize, scale: usize, zeroPoint: usize, lowAt: usize, highAt: usize, shift: f32, lowest: f32, highest: f32, y: usize,
  outer: usize, repeats: usize, channels: usize, inner: usize, scaleStep: usize, zeroStep: usize, kind: i32
): void {
  if (outer * repeats * channels * inner == 0) return
  const least = lowAt ? load<f32>(lowAt) : lowest
  const most = highAt ? load<f32>(highAt) : highest
  const low = kept(y, least)
  const high = kept(y, most)
  const zero = kept(y, zeroOf(least, most))
  const bytes = inner << 2
  const none = zeroPoint == 0 && shift == 0
  const one = kept(y, zeroPoint && !zeroStep ? load<f32>(zeroPoint) : none ? <f32>-0.0 : shift)
  const after = kept(y, zeroPoint && !zeroStep ? load<f32>(zeroPoint) : none ? <f32>0 : shift)
  for (let o: usize = 0; o < outer; o++) {
    for (let r: usize = 0; r < repeats; r++) {
      if (inner == 1) {
        const length = channels << 2
        row(x, y, length, scale, zeroPoint, scaleStep, zeroStep, one, after, low, high, zero, kind)
        x += length
        y += length
      } else
        for (let c: usize = 0; c < channels; c++) {
          const at = scale + ((c * scaleStep) << 2)
          const z = zeroStep ? v128.load32_splat(zeroPoint + (c << 2)) : one
          const w = zeroStep ? z : after
          let done: usize = 0
          if (kind == 0 && inner >= long && saves(load<f32>(at), f32x4.extract_lane(w, 0), least, most)) {
            fewerDivisions(x, y, bytes, load<f32>(at), least, most, none)
            done = bytes & ~127
          }
          block(x + done, y + done, bytes - done, v128.load32_splat(at), z, w, low, high, zero, kind)
          x += bytes
          y += bytes
        }
    }
    scale += (channels * scaleStep) << 2
    zeroPoint += (channels * zeroStep) << 2
  }
}
