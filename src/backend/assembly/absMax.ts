/**
 * The largest magnitudes, of everything or along one axis: NaN where there is one, and of nothing. And their gradients, which are
 * added to what is there or stored where nothing is: over everything shared among all that attain the maximum, along an axis to the
 * first one.
 */

/** Magnitudes are ordered as their bits are, and NaN is above all. */
@inline
function magnitude(v: v128): v128 {
  return v128.and(v, i32x4.splat(0x7fffffff))
}

// ---- forward ------------------------------------------------------------------------------------------------

export function absMax(x: usize, size: usize, y: usize): void {
  const end = x + (size << 2)
  let a = i32x4.splat(0)
  let b = a
  let c = a
  let d = a
  for (; x + 64 <= end; x += 64) {
    a = i32x4.max_s(a, magnitude(v128.load(x)))
    b = i32x4.max_s(b, magnitude(v128.load(x, 16)))
    c = i32x4.max_s(c, magnitude(v128.load(x, 32)))
    d = i32x4.max_s(d, magnitude(v128.load(x, 48)))
  }
  for (; x < end; x += 4) a = i32x4.max_s(a, magnitude(v128.load32_zero(x)))
  a = i32x4.max_s(i32x4.max_s(a, b), i32x4.max_s(c, d))
  a = i32x4.max_s(a, i64x2.shuffle(a, a, 1, 0))
  const most = max<i32>(i32x4.extract_lane(a, 0), i32x4.extract_lane(a, 1))
  if (size == 0) store<f32>(y, f32.NaN)
  else store<i32>(y, most)
}

/** `y[j] = max |x[i][j]|` */
function absMaxOfColumns(x: usize, rows: usize, columns: usize, y: usize): void {
  const step = columns << 2
  memory.fill(y, 0, step)
  let i: usize = 0
  // what there is so far stays in the cache; it is read and written once for four rows
  for (; i + 4 <= rows; i += 4, x += step << 2) {
    for (let j: usize = 0; j + 16 <= step; j += 16) {
      const at = x + j
      const a = i32x4.max_s(magnitude(v128.load(at)), magnitude(v128.load(at + step)))
      const b = i32x4.max_s(magnitude(v128.load(at + 2 * step)), magnitude(v128.load(at + 3 * step)))
      v128.store(y + j, i32x4.max_s(v128.load(y + j), i32x4.max_s(a, b)))
    }
    for (let k: usize = 0; k < 4; k++) absMaxOfRow(x + k * step, step, y, step & ~15)
  }
  for (; i < rows; i++, x += step) absMaxOfRow(x, step, y, 0)
  if (rows == 0) for (let j: usize = 0; j < step; j += 4) store<f32>(y + j, f32.NaN)
}

/** One row more, from a place on. */
function absMaxOfRow(x: usize, bytes: usize, y: usize, from: usize): void {
  let j = from
  for (; j + 16 <= bytes; j += 16) v128.store(y + j, i32x4.max_s(v128.load(y + j), magnitude(v128.load(x + j))))
  for (; j < bytes; j += 4) store<i32>(y + j, max<i32>(load<i32>(y + j), load<i32>(x + j) & 0x7fffffff))
}

/** `y[o][i] = max over l of |x[o][l][i]|` */
export function absMaxAlong(x: usize, outer: usize, length: usize, inner: usize, y: usize): void {
  const block = (length * inner) << 2
  for (let o: usize = 0; o < outer; o++, x += block, y += inner << 2) {
    if (inner == 1) absMax(x, length, y)
    else absMaxOfColumns(x, length, inner, y)
  }
}

// ---- gradients ----------------------------------------------------------------------------------------------

/** A magnitude hits if its bits are above these: the maximum's own, or if that is NaN, infinity's. */
@inline
function below(extremum: i32): i32 {
  const bits = extremum & 0x7fffffff
  return bits > 0x7f800000 ? 0x7f800000 : bits - 1
}

/** `part` of the gradient to one place, with the sign of what stands there; of 0 and NaN, which have none, nothing that is finite. */
@inline
function give(x: usize, part: f32, most: f32, dx: usize, adds: bool): void {
  const signed = most > 0 ? (load<i32>(x) < 0 ? -part : part) : part * 0
  store<f32>(dx, adds ? load<f32>(dx) + signed : signed)
}

const ROOM: i32 = 1024

/** `places` has room for 1,024 of them. */
export function absMaxGrad(x: usize, size: usize, extremum: usize, dy: usize, dx: usize, adds: bool, places: usize): void {
  const bytes = size << 2
  if (!adds) memory.fill(dx, 0, bytes)
  const most = load<f32>(extremum)
  const limit = below(load<i32>(extremum))
  const less = i32x4.splat(limit)
  let count: i32 = 0
  let at: usize = 0
  while (at < bytes) {
    for (; at + 64 <= bytes; at += 64) {
      const here = x + at
      const a = i32x4.max_s(magnitude(v128.load(here)), magnitude(v128.load(here, 16)))
      const b = i32x4.max_s(magnitude(v128.load(here, 32)), magnitude(v128.load(here, 48)))
      if (v128.any_true(i32x4.gt_s(i32x4.max_s(a, b), less))) break
    }
    for (const end = min<usize>(at + 64, bytes); at < end; at += 4) {
      if ((load<i32>(x + at) & 0x7fffffff) <= limit) continue
      if (count < ROOM) store<usize>(places + (count << 2), at)
      count++
    }
  }
  const part = <f32>(<f64>load<f32>(dy) / <f64>count)
  if (count <= ROOM) {
    for (let i = 0; i < count; i++) {
      const place = load<usize>(places + (i << 2))
      give(x + place, part, most, dx + place, adds)
    }
  } else {
    for (at = 0; at < bytes; at += 4) {
      if ((load<i32>(x + at) & 0x7fffffff) > limit) give(x + at, part, most, dx + at, adds)
    }
  }
}

/** To the first hit of each column; `open` has a word for each. */
function columnsGrad(
  x: usize, rows: usize, columns: usize, extrema: usize, dy: usize, dx: usize, adds: bool, open: usize
): void {
  const step = columns << 2
  for (let j: usize = 0; j < step; j += 4) store<i32>(open + j, below(load<i32>(extrema + j)))
  for (let i: usize = 0; i < rows; i++, x += step, dx += step) {
    for (let j: usize = 0; j < step; ) {
      if (j + 16 <= step && !v128.any_true(i32x4.gt_s(magnitude(v128.load(x + j)), v128.load(open + j)))) {
        j += 16
        continue
      }
      for (const end = min<usize>(j + 16, step); j < end; j += 4) {
        if ((load<i32>(x + j) & 0x7fffffff) <= load<i32>(open + j)) continue
        store<i32>(open + j, i32.MAX_VALUE)
        give(x + j, load<f32>(dy + j), load<f32>(extrema + j), dx + j, adds)
      }
    }
  }
}

/** To the first hit of a row. */
function rowGrad(x: usize, size: usize, extremum: usize, dy: usize, dx: usize, adds: bool): void {
  const end = x + (size << 2)
  const start = x
  const limit = below(load<i32>(extremum))
  const less = i32x4.splat(limit)
  while (x + 16 <= end && !v128.any_true(i32x4.gt_s(magnitude(v128.load(x)), less))) x += 16
  while (x < end && (load<i32>(x) & 0x7fffffff) <= limit) x += 4
  if (x < end) give(x, load<f32>(dy), load<f32>(extremum), dx + (x - start), adds)
}

/** `open` has a word for each of `inner`. */
export function absMaxAlongGrad(
  x: usize, outer: usize, length: usize, inner: usize, extrema: usize, dy: usize, dx: usize, adds: bool, open: usize
): void {
  const block = (length * inner) << 2
  if (!adds) memory.fill(dx, 0, outer * block)
  for (let o: usize = 0; o < outer; o++) {
    if (inner == 1) rowGrad(x, length, extrema, dy, dx, adds)
    else columnsGrad(x, length, inner, extrema, dy, dx, adds, open)
    x += block
    dx += block
    extrema += inner << 2
    dy += inner << 2
  }
}
