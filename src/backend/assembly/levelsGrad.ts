/**
 * The gradients of `levels` in one pass: dx as the chain of operations gives it, the sums for scales in double precision.
 *
 * Of minifloats, with `d = dy * s` as the clamp hands it on and `r = round(u / w)`: `du = (d * w) / w + (d * r - d * w * u / w^2) *
 * (dw / du)`, `dw / du = w / u` in the normal range, else 0; `dx = du / s`, `ds = sum(dy * q - dx * u)`.
 */
import { back, front, total } from "./double"
import { kept, rounded } from "./integer"
import { held, outside, scaledDown } from "./levels"
import { allPowers, exponents, reciprocal } from "./powersOfTwo"
import { beyond, ones, signs, toBounds, within } from "./signs"
import { addTo } from "./sums"

export function levelsGrad(
  x: usize, scale: usize, dy: usize, dx: usize, dscale: usize, sums: usize,
  outer: usize, repeats: usize, channels: usize, inner: usize, step: usize,
  smallest: i32, below: i32, lowest: f32, highest: f32, kind: i32, overflow: i32, passes: bool
): void {
  const exact = kind < 4 && allPowers(scale, step ? outer * channels : 1)
  const each = inner == 1
  const moves = each ? step : <usize>0
  const bytes = (each ? channels : inner) << 2
  const stretches = each ? <usize>1 : channels
  const jump = stretches * bytes
  const least = kept(dscale, reinterpret<f32>(smallest))
  const down = kept(dscale, reinterpret<f32>(below))
  const low = kept(dscale, lowest)
  const high = kept(dscale, highest)
  const zero = kept(dscale, lowest == 0 ? <f32>0 : <f32>-0.0)
  const cuts = !passes || overflow != 0
  let toScale: f64 = 0
  for (let o: usize = 0; o < outer; o++) {
    if (each) memory.fill(sums, 0, channels << 3)
    for (let c: usize = 0; c < stretches; c++) {
      const own = scale + ((c * step) << 2)
      let s = v128.load32_splat(own)
      let ds0 = f64x2.splat(0)
      let ds1 = f64x2.splat(0)
      for (let repeat: usize = 0; repeat < repeats; repeat++) {
        const from = (o * repeats + repeat) * jump + c * bytes
        let at: usize = 0
        while (at < bytes) {
          const full = at + 16 <= bytes
          const place = from + at
          const v = full ? v128.load(x + place) : v128.load32_splat(x + place)
          const g = full ? v128.load(dy + place) : v128.load32_splat(dy + place)
          if (moves) s = full ? v128.load(own + at) : v128.load32_splat(own + at)
          let change: v128
          let t: v128
          if (kind < 4) {
            const inverse = reciprocal(s)
            const u = scaledDown(v, s, inverse, exact)
            const exponent = exponents(u)
            const w = i32x4.sub(i32x4.max_s(exponent, least), down)
            let finer = reciprocal(w)
            if (v128.any_true(i32x4.gt_s(w, i32x4.splat(0x7e000000)))) finer = f32x4.div(f32x4.splat(1), w)
            const r = rounded(f32x4.mul(u, finer), kind)
            const y = f32x4.mul(w, r)
            let d = f32x4.mul(g, s)
            if (cuts) d = v128.andnot(d, outside(y, low, high))
            const dr = f32x4.mul(d, w)
            const dw = f32x4.sub(f32x4.mul(d, r), f32x4.div(f32x4.mul(dr, u), f32x4.mul(w, w)))
            const slope = v128.and(f32x4.div(w, u), i32x4.ge_s(exponent, least))
            const du = f32x4.add(f32x4.mul(dr, finer), f32x4.mul(dw, slope))
            change = exact ? f32x4.mul(du, inverse) : f32x4.div(du, s)
            t = f32x4.sub(f32x4.mul(g, held(y, low, high, zero, overflow)), f32x4.mul(change, u))
          } else {
            // what is NaN is handed on itself: its sign gets dy * 0
            const broken = f32x4.ne(v, v)
            const h = f32x4.mul(g, ones(v128.not(broken)))
            let d = f32x4.mul(h, s)
            t = f32x4.mul(h, v128.andnot(signs(v, s, low, kind - 4), broken))
            if (kind == 5) {
              t = f32x4.add(t, toBounds(v, s, d))
              d = v128.and(d, within(v, s))
            } else if (kind == 7) d = f32x4.mul(d, beyond(v, s, low))
            change = f32x4.add(f32x4.mul(g, ones(broken)), d)
          }
          if (full) v128.store(dx + place, change)
          else {
            v128.store32_lane(dx + place, change, 0)
            t = v128.and(t, i32x4(-1, 0, 0, 0))
          }
          if (each) addTo(sums + (at << 1), t, full)
          else {
            ds0 = f64x2.add(ds0, front(t))
            ds1 = f64x2.add(ds1, back(t))
          }
          at += full ? 16 : 4
        }
      }
      if (!each) {
        const sum = total(ds0) + total(ds1)
        if (step) store<f32>(dscale + (c << 2), <f32>sum)
        else toScale += sum
      }
    }
    if (each)
      for (let c: usize = 0; c < channels; c++) {
        const sum = load<f64>(sums + (c << 3))
        if (step) store<f32>(dscale + (c << 2), <f32>sum)
        else toScale += sum
      }
    const scales = (channels * step) << 2
    scale += scales
    dscale += scales
  }
  if (!step) store<f32>(dscale, <f32>toScale)
}
