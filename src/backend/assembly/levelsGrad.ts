/**
 * The gradients of `levels` in one pass: dx as the chain of operations gives it, the sums for scales in double precision.
 *
 * Of minifloats, with `d = dy * s` as the clamp hands it on and `r = round(u / w)`: `du = (d * w) / w + (d * r - d * w * u / w^2) *
 * (dw / du)`, `dw / du = w / u` in the normal range, else 0; `dx = du / s`, `ds = sum(dy * q - dx * u)`.
 */
import { kept, rounded } from "./integer"
import { held, outside, scaledDown } from "./levels"
import { allPowers, exponents, nearlyTwo, reciprocal } from "./powersOfTwo"
import { beyond, ones, signs, toBounds, within } from "./signs"
import { addTo } from "./sums"

/** What of a minifloat's gradient goes to the scale; what goes to x is stored at `to`. For any values, roundings and overflows. */
function careful(
  v: v128, g: v128, s: v128, low: v128, high: v128, zero: v128, least: v128, down: v128,
  kind: i32, overflow: i32, cuts: bool, exact: bool, to: usize
): v128 {
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
  const change = exact ? f32x4.mul(du, inverse) : f32x4.div(du, s)
  v128.store(to, change)
  return f32x4.sub(f32x4.mul(g, held(y, low, high, zero, overflow)), f32x4.mul(change, u))
}

/**
 * The same to nearest, saturating, where u is less than 2^21 and far from where logarithms round up, and no step is below 2^-60: the
 * very products, but divisions by steps as products with their inverses, which are powers of two. `exact` is whether s is one.
 * Answers how many bytes were such. What goes to scales is added at `totals`: to each channel's own, or to
 * sixteen in turn, so that none waits for the one before.
 */
function usual(
  x: usize, dy: usize, dx: usize, bytes: usize, scale: usize, totals: usize, room: usize,
  low: v128, high: v128, zero: v128, least: v128, down: v128, cuts: bool, exact: bool, moves: bool, turn: usize
): usize {
  const sign = kept(room, -0.0)
  const mantissa = kept(room, reinterpret<f32>(0x007fffff))
  const close = kept(room, reinterpret<f32>(nearlyTwo - 1))
  const large = kept(room, 2097152)
  const turned = kept(room, reinterpret<f32>(0x7f000000))
  let s = v128.load32_splat(scale)
  let at: usize = 0
  for (; at + 16 <= bytes; at += 16) {
    const v = v128.load(x + at)
    if (moves) s = v128.load(scale + at)
    const inverse = i32x4.sub(turned, s)
    const u = exact ? f32x4.mul(v, inverse) : f32x4.div(v, s)
    const a = v128.andnot(u, sign)
    if (v128.any_true(v128.or(i32x4.gt_s(v128.and(a, mantissa), close), i32x4.gt_s(a, large)))) break
    const w = i32x4.sub(i32x4.max_s(v128.andnot(a, mantissa), least), down)
    const finer = i32x4.sub(turned, w)
    const r = f32x4.nearest(f32x4.mul(u, finer))
    const y = f32x4.mul(w, r)
    const q = f32x4.pmax(f32x4.pmin(y, high), low)
    const g = v128.load(dy + at)
    let d = f32x4.mul(g, s)
    if (cuts) d = v128.and(d, f32x4.eq(y, q))
    const dr = f32x4.mul(d, w)
    const dw = f32x4.sub(f32x4.mul(d, r), f32x4.mul(f32x4.mul(f32x4.mul(dr, u), finer), finer))
    const slope = v128.andnot(f32x4.div(w, u), i32x4.lt_s(a, least))
    const du = f32x4.add(f32x4.mul(dr, finer), f32x4.mul(dw, slope))
    const change = exact ? f32x4.mul(du, inverse) : f32x4.div(du, s)
    v128.store(dx + at, change)
    const t = f32x4.sub(f32x4.mul(g, f32x4.add(q, zero)), f32x4.mul(change, u))
    addTo(totals + ((at & turn) << 1), t, true)
  }
  return at
}

/** The same of signs, whole vectors. */
function ofSigns(
  x: usize, dy: usize, dx: usize, bytes: usize, scale: usize, totals: usize, threshold: v128, kind: i32,
  moves: bool, turn: usize
): usize {
  let s = v128.load32_splat(scale)
  let at: usize = 0
  for (; at + 16 <= bytes; at += 16) {
    const v = v128.load(x + at)
    const g = v128.load(dy + at)
    if (moves) s = v128.load(scale + at)
    const broken = f32x4.ne(v, v)
    let h = g
    let own = f32x4.mul(g, f32x4.splat(0))
    // what is NaN is handed on itself: its sign gets dy * 0
    if (v128.any_true(broken)) {
      h = v128.bitselect(own, g, broken)
      own = v128.bitselect(g, own, broken)
    }
    let d = f32x4.mul(h, s)
    let t = f32x4.mul(h, v128.andnot(signs(v, s, threshold, kind), broken))
    if (kind == 1) {
      t = f32x4.add(t, toBounds(v, s, d))
      d = v128.and(d, within(v, s))
    } else if (kind == 3) d = f32x4.mul(d, beyond(v, s, threshold))
    v128.store(dx + at, f32x4.add(own, d))
    addTo(totals + ((at & turn) << 1), t, true)
  }
  return at
}

/** `sums` has room for three vectors, then a double for each channel (rounded up to four) where channels are the innermost axis, else sixteen. */
export function levelsGrad(
  x: usize, scale: usize, dy: usize, dx: usize, dscale: usize, sums: usize,
  outer: usize, repeats: usize, channels: usize, inner: usize, step: usize,
  smallest: i32, below: i32, lowest: f32, highest: f32, kind: i32, overflow: i32, passes: bool
): void {
  const exact = kind < 4 && allPowers(scale, step ? outer * channels : 1)
  const each = inner == 1
  const moves = each && step != 0
  const bytes = (each ? channels : inner) << 2
  const stretches = each ? <usize>1 : channels
  const jump = stretches * bytes
  const least = kept(dscale, reinterpret<f32>(smallest))
  const down = kept(dscale, reinterpret<f32>(below))
  const low = kept(dscale, lowest)
  const high = kept(dscale, highest)
  const zero = kept(dscale, lowest == 0 ? <f32>0 : <f32>-0.0)
  const cuts = !passes || overflow != 0
  const plain = kind == 0 && overflow == 0 && smallest - below >= 67 << 23
  const totals = sums + 48
  const open = each ? channels << 3 : 128
  const turn: usize = each ? ~0 : 48
  let toScale: f64 = 0
  for (let o: usize = 0; o < outer; o++) {
    for (let c: usize = 0; c < stretches; c++) {
      const own = scale + ((c * step) << 2)
      memory.fill(totals, 0, open)
      for (let repeat: usize = 0; repeat < repeats; repeat++) {
        const from = (o * repeats + repeat) * jump + c * bytes
        for (let at: usize = 0; at < bytes; ) {
          const place = from + at
          const s = moves ? own + at : own
          const to = each ? totals + (at << 1) : totals
          const left = bytes - at
          const full = left >= 16
          if (full) {
            const done =
              kind > 3
                ? ofSigns(x + place, dy + place, dx + place, left, s, to, low, kind - 4, moves, turn)
                : plain
                ? usual(x + place, dy + place, dx + place, left, s, to, sums, low, high, zero, least, down, cuts, exact, moves, turn)
                : 0
            at += done
            if (done) continue
          }
          // one by one at the end, with nothing beside it
          const lanes = full ? i32x4.splat(-1) : i32x4(-1, 0, 0, 0)
          const v = full ? v128.load(x + place) : v128.load32_splat(x + place)
          const g = v128.and(lanes, full ? v128.load(dy + place) : v128.load32_zero(dy + place))
          const by = moves && full ? v128.load(s) : v128.load32_splat(s)
          if (kind > 3) {
            v128.store(sums, v)
            v128.store(sums, g, 16)
            ofSigns(sums, sums + 16, sums + 32, 16, s, to, low, kind - 4, false, turn)
          } else {
            const t = careful(v, g, by, low, high, zero, least, down, kind, overflow, cuts, exact, sums + 32)
            addTo(to, v128.and(t, lanes), full || !each)
          }
          if (full) v128.store(dx + place, v128.load(sums, 32))
          else store<f32>(dx + place, load<f32>(sums, 32))
          at += full ? 16 : 4
        }
      }
      if (!each) {
        let sum: f64 = 0
        for (let i: usize = 0; i < 128; i += 8) sum += load<f64>(totals + i)
        if (step) store<f32>(dscale + (c << 2), <f32>sum)
        else toScale += sum
      }
    }
    if (each)
      for (let c: usize = 0; c < channels; c++) {
        const sum = load<f64>(totals + (c << 3))
        if (step) store<f32>(dscale + (c << 2), <f32>sum)
        else toScale += sum
      }
    const scales = (channels * step) << 2
    scale += scales
    dscale += scales
  }
  if (!step) store<f32>(dscale, <f32>toScale)
}
