/**
 * The gradients of `fakeQuant` in one pass: dx as the chain of operations gives it, sums in double precision.
 *
 * With `d = dy * s`, which the clamp hands on as `e` (d itself, or 0 beyond the bounds): `dx = e / s`,
 * `ds = sum(dy * (q - z) - dx * (x / s))`, `dz = sum(e - d)`, `dlow` and `dhigh` = sums of d below and above.
 */
import { rounded } from "./integer"

/** The first two and the last two of four elements, in double precision. */
@inline
function front(v: v128): v128 {
  return f64x2.promote_low_f32x4(v)
}
@inline
function back(v: v128): v128 {
  return f64x2.promote_low_f32x4(i64x2.shuffle(v, v, 1, 1))
}
@inline
function total(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1)
}

/** Adds four numbers to four sums in memory, or the first one to one. */
@inline
function addTo(sums: usize, v: v128, full: bool): void {
  if (full) {
    v128.store(sums, f64x2.add(v128.load(sums), front(v)))
    v128.store(sums, f64x2.add(v128.load(sums, 16), back(v)), 16)
  } else store<f64>(sums, load<f64>(sums) + <f64>f32x4.extract_lane(v, 0))
}

@inline
function all(
  x: usize, scale: usize, zeroPoint: usize, lowAt: usize, highAt: usize, dy: usize,
  dx: usize, dscale: usize, dzero: usize, dlow: usize, dhigh: usize, sums: usize,
  outer: usize, repeats: usize, channels: usize, inner: usize, scaleStep: usize, zeroStep: usize,
  passes: bool, kind: i32, each: bool
): void {
  const low = v128.load32_splat(lowAt)
  const high = v128.load32_splat(highAt)
  // what is below `least` goes to the low bound: nothing, if the high one is NaN
  const least = isNaN(load<f32>(highAt)) ? high : low
  const none = f64x2.splat(0)
  const firstLane = i32x4(-1, 0, 0, 0)
  let toLow = none
  let toHigh = none
  let toScale: f64 = 0
  let toZero: f64 = 0
  // one stretch of memory: a block of one channel, or a row of all channels
  const bytes = (each ? channels : inner) << 2
  const stretches = each ? <usize>1 : channels
  const jump = (each ? <usize>1 : channels) * bytes
  for (let o: usize = 0; o < outer; o++) {
    if (each) memory.fill(sums, 0, channels << 4)
    for (let c: usize = 0; c < stretches; c++) {
      let s = v128.load32_splat(scale + ((c * scaleStep) << 2))
      let z = v128.load32_splat(zeroPoint + ((c * zeroStep) << 2))
      let ds0 = none
      let ds1 = none
      let dz = none
      let check = f32x4.splat(0)
      for (let r: usize = 0; r < repeats; r++) {
        const from = ((o * repeats + r) * jump) + c * bytes
        let at: usize = 0
        while (at < bytes) {
          const full = at + 16 <= bytes
          const place = from + at
          let v: v128
          let g: v128
          if (full) {
            v = v128.load(x + place)
            g = v128.load(dy + place)
          } else {
            v = v128.load32_zero(x + place)
            g = v128.load32_zero(dy + place)
          }
          if (each) {
            if (scaleStep) s = full ? v128.load(scale + at) : v128.load32_splat(scale + at)
            if (zeroStep) z = full ? v128.load(zeroPoint + at) : v128.load32_splat(zeroPoint + at)
          }
          const u = f32x4.div(v, s)
          const w = rounded(f32x4.add(u, z), kind)
          const kept = f32x4.pmin(w, high)
          const q = f32x4.pmax(kept, low)
          let d = f32x4.mul(g, s)
          let e = d
          let beyond = none
          let under = beyond
          if (!passes) {
            under = f32x4.lt(kept, least)
            beyond = v128.or(under, f32x4.gt(w, high))
            e = v128.andnot(d, beyond)
          }
          const slope = f32x4.div(e, s)
          let t = f32x4.sub(f32x4.mul(g, f32x4.sub(q, z)), f32x4.mul(slope, u))
          if (full) v128.store(dx + place, slope)
          else {
            v128.store32_lane(dx + place, slope, 0)
            t = v128.and(t, firstLane)
            d = v128.and(d, firstLane)
            e = v128.and(e, firstLane)
          }
          if (each) {
            addTo(sums + (at << 1), t, full)
            addTo(sums + ((channels << 3) + (at << 1)), f32x4.sub(e, d), full)
          } else {
            ds0 = f64x2.add(ds0, front(t))
            ds1 = f64x2.add(ds1, back(t))
            check = f32x4.add(check, f32x4.sub(d, d)) // NaN if one is infinite or NaN, else 0
          }
          if (!passes && v128.any_true(beyond)) {
            const below = v128.and(d, under)
            const above = v128.and(d, v128.andnot(beyond, under))
            toLow = f64x2.add(toLow, f64x2.add(front(below), back(below)))
            toHigh = f64x2.add(toHigh, f64x2.add(front(above), back(above)))
            if (!each) {
              const lost = v128.and(d, beyond)
              dz = f64x2.sub(dz, f64x2.add(front(lost), back(lost)))
            }
          }
          at += full ? 16 : 4
        }
      }
      if (!each) {
        const sum = total(ds0) + total(ds1)
        const shift = total(dz) + total(front(check)) + total(back(check))
        if (scaleStep) store<f32>(dscale + (c << 2), <f32>sum)
        else toScale += sum
        if (zeroStep) store<f32>(dzero + (c << 2), <f32>shift)
        else toZero += shift
      }
    }
    if (each)
      for (let c: usize = 0; c < channels; c++) {
        const sum = load<f64>(sums + (c << 3))
        const shift = load<f64>(sums + ((channels + c) << 3))
        if (scaleStep) store<f32>(dscale + (c << 2), <f32>sum)
        else toScale += sum
        if (zeroStep) store<f32>(dzero + (c << 2), <f32>shift)
        else toZero += shift
      }
    const scales = (channels * scaleStep) << 2
    const zeros = (channels * zeroStep) << 2
    scale += scales
    dscale += scales
    zeroPoint += zeros
    dzero += zeros
  }
  if (!scaleStep) store<f32>(dscale, <f32>toScale)
  if (!zeroStep) store<f32>(dzero, <f32>toZero)
  store<f32>(dlow, <f32>total(toLow))
  store<f32>(dhigh, <f32>total(toHigh))
}

export function fakeQuantGrad(
  x: usize, scale: usize, zeroPoint: usize, low: usize, high: usize, dy: usize,
  dx: usize, dscale: usize, dzero: usize, dlow: usize, dhigh: usize, sums: usize,
  outer: usize, repeats: usize, channels: usize, inner: usize, scaleStep: usize, zeroStep: usize,
  passes: bool, kind: i32
): void {
  // the usual cases have loops of their own, which do not ask
  if (inner == 1)
    all(
      x, scale, zeroPoint, low, high, dy, dx, dscale, dzero, dlow, dhigh, sums,
      outer, repeats, channels, inner, scaleStep, zeroStep, passes, kind, true
    )
  else if (kind == 0)
    all(
      x, scale, zeroPoint, low, high, dy, dx, dscale, dzero, dlow, dhigh, sums,
      outer, repeats, channels, inner, scaleStep, zeroStep, passes, 0, false
    )
  else
    all(
      x, scale, zeroPoint, low, high, dy, dx, dscale, dzero, dlow, dhigh, sums,
      outer, repeats, channels, inner, scaleStep, zeroStep, passes, kind, false
    )
}
