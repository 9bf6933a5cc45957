/**
 * The gradients of `fakeQuant` in one pass: `dx = dy` where the rounded value lies within the bounds, else 0;
 * `ds = sum(dy * (q - z - inside * x / s))`, and of `d = dy * s`: `dz = -sum(d)` beyond the bounds, `dlow` and `dhigh` below and above.
 *
 * Sums of up to 32 elements are in single precision, sums of those in double precision.
 */
import { rows } from "./fakeQuantGradRows"
import { spans, toHigh, toLow, toScale, toZero } from "./fakeQuantGradSpans"
import { kept } from "./integer"

@inline
function result(to: usize, from: usize): void {
  if (to) store<f32>(to, <f32>(load<f64>(from) + load<f64>(from, 8)))
}
@inline
function clear(sum: usize): void {
  v128.store(sum, f64x2.splat(0))
}

/** Zero-point and bounds at the address 0 are numbers; gradients at the address 0 are not asked for. */
export function fakeQuantGrad(
  x: usize, scale: usize, zeroPoint: usize, lowAt: usize, highAt: usize, shift: f32, lowest: f32, highest: f32,
  dy: usize, dx: usize, dscale: usize, dzero: usize, dlow: usize, dhigh: usize, sums: usize,
  outer: usize, repeats: usize, channels: usize, inner: usize, scaleStep: usize, zeroStep: usize,
  passes: bool, kind: i32
): void {
  const bottom = lowAt ? load<f32>(lowAt) : lowest
  const top = highAt ? load<f32>(highAt) : highest
  if (inner == 1)
    return rows(
      x, scale, zeroPoint, shift, bottom, top, dy, dx, dscale, dzero, dlow, dhigh, sums,
      outer, repeats, channels, scaleStep, zeroStep, passes, kind
    )
  const low = kept(sums, bottom)
  const high = kept(sums, top)
  const cut = kept(sums, reinterpret<f32>(passes ? 0 : -1))
  const one = zeroPoint && !zeroStep ? v128.load32_splat(zeroPoint) : kept(sums, shift)
  const bounds = !passes && dzero + dlow + dhigh != 0
  clear(sums + toScale)
  clear(sums + toZero)
  clear(sums + toLow)
  clear(sums + toHigh)
  const bytes = inner << 2
  for (let o: usize = 0; o < outer; o++) {
    for (let c: usize = 0; c < channels; c++) {
      const s = v128.load32_splat(scale + ((c * scaleStep) << 2))
      const z = zeroStep ? v128.load32_splat(zeroPoint + (c << 2)) : one
      for (let r: usize = 0; r < repeats; r++) {
        let place = ((o * repeats + r) * channels + c) * bytes
        const length = bytes & ~15
        if (length) spans(x + place, dy + place, dx + place, length, s, z, low, high, cut, sums, kind, bounds)
        const left = bytes & 15
        if (left) {
          place += length
          // the last few: filled up with one of them, whose dy is 0
          v128.store(sums, v128.load32_splat(x + place))
          v128.store(sums, f32x4.splat(0), 16)
          memory.copy(sums, x + place, left)
          memory.copy(sums + 16, dy + place, left)
          spans(sums, sums + 16, sums + 32, 16, s, z, low, high, cut, sums, kind, bounds)
          memory.copy(dx + place, sums + 32, left)
        }
      }
      if (scaleStep) {
        result(dscale + (c << 2), sums + toScale)
        clear(sums + toScale)
      }
      if (zeroStep && dzero) {
        result(dzero + (c << 2), sums + toZero)
        clear(sums + toZero)
      }
    }
    scale += (channels * scaleStep) << 2
    dscale += (channels * scaleStep) << 2
    zeroPoint += (channels * zeroStep) << 2
    if (dzero) dzero += (channels * zeroStep) << 2
  }
  if (!scaleStep) result(dscale, sums + toScale)
  if (!zeroStep) result(dzero, sums + toZero)
  result(dlow, sums + toLow)
  result(dhigh, sums + toHigh)
}
