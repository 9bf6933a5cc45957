/**
 * The gradients of `fakeQuant` where the channels are the innermost axis: a double for the scale's sum of each channel, and one for
 * the zero-point's, are kept at `sums`.
 */
import { back, front, total } from "./double"
import { kept, rounded } from "./integer"

/** Adds four numbers to four sums in memory, or the first one to one. */
@inline
function addTo(sums: usize, v: v128, full: bool): void {
  if (full) {
    v128.store(sums, f64x2.add(v128.load(sums), front(v)))
    v128.store(sums, f64x2.add(v128.load(sums, 16), back(v)), 16)
  } else store<f64>(sums, load<f64>(sums) + <f64>f32x4.extract_lane(v, 0))
}

export function rows(
  x: usize, scale: usize, zeroPoint: usize, shift: f32, bottom: f32, top: f32, dy: usize,
  dx: usize, dscale: usize, dzero: usize, dlow: usize, dhigh: usize, sums: usize,
  outer: usize, repeats: usize, channels: usize, scaleStep: usize, zeroStep: usize, passes: bool, kind: i32
): void {
  const none = f64x2.splat(0)
  let toLow = none
  let toHigh = none
  let toScale: f64 = 0
  let toZero: f64 = 0
  const bytes = channels << 2
  const low = kept(sums, bottom)
  const high = kept(sums, top)
  const one = zeroStep ? none : zeroPoint ? v128.load32_splat(zeroPoint) : kept(sums, shift)
  for (let o: usize = 0; o < outer; o++) {
    memory.fill(sums, 0, channels << 4)
    for (let r: usize = 0; r < repeats; r++) {
      for (let at: usize = 0; at < bytes; ) {
        const full = at + 16 <= bytes
        const s = !scaleStep ? v128.load32_splat(scale) : full ? v128.load(scale + at) : v128.load32_splat(scale + at)
        const z = !zeroStep ? one : full ? v128.load(zeroPoint + at) : v128.load32_splat(zeroPoint + at)
        const u = f32x4.div(full ? v128.load(x + at) : v128.load32_zero(x + at), s)
        const g = full ? v128.load(dy + at) : v128.load32_zero(dy + at)
        const w = rounded(f32x4.add(u, z), kind)
        const capped = f32x4.pmin(w, high)
        const below = f32x4.lt(capped, low)
        const beyond = v128.or(below, f32x4.gt(w, high))
        const q = f32x4.sub(f32x4.pmax(capped, low), z)
        let t = f32x4.sub(q, u)
        let slope = g
        if (!passes && v128.any_true(beyond)) {
          slope = v128.andnot(g, beyond)
          t = v128.bitselect(q, t, beyond)
          let d = f32x4.mul(g, s)
          if (!full) d = v128.and(d, i32x4(-1, 0, 0, 0))
          const lost = v128.and(d, beyond)
          const lower = v128.and(d, below)
          const upper = v128.andnot(lost, below)
          addTo(sums + ((channels << 3) + (at << 1)), f32x4.neg(lost), full)
          toLow = f64x2.add(toLow, f64x2.add(front(lower), back(lower)))
          toHigh = f64x2.add(toHigh, f64x2.add(front(upper), back(upper)))
        }
        if (full) v128.store(dx + at, slope)
        else v128.store32_lane(dx + at, slope, 0)
        addTo(sums + (at << 1), f32x4.mul(g, t), full)
        at += full ? 16 : 4
      }
      x += bytes
      dy += bytes
      dx += bytes
    }
    for (let c: usize = 0; c < channels; c++) {
      const sum = load<f64>(sums + (c << 3))
      const shifts = load<f64>(sums + ((channels + c) << 3))
      if (scaleStep) store<f32>(dscale + (c << 2), <f32>sum)
      else toScale += sum
      if (!zeroStep) toZero += shifts
      else if (dzero) store<f32>(dzero + (c << 2), <f32>shifts)
    }
    scale += (channels * scaleStep) << 2
    dscale += (channels * scaleStep) << 2
    zeroPoint += (channels * zeroStep) << 2
    if (dzero) dzero += (channels * zeroStep) << 2
  }
  if (!scaleStep) store<f32>(dscale, <f32>toScale)
  if (!zeroStep && dzero) store<f32>(dzero, <f32>toZero)
  if (dlow) store<f32>(dlow, <f32>total(toLow))
  if (dhigh) store<f32>(dhigh, <f32>total(toHigh))
}
