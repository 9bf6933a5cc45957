/**
 * The largest element or the mean of each window, and their gradients; four channels at a time. Zeros around the image never win.
 *
 * A maximum is the first one, or the first NaN; all of its gradient goes there.
 */
import { clear } from "./im2col"

/** Where the best so far stays: it is NaN, or not smaller, and the other one no NaN. */
@inline
function stays(best: v128, v: v128): v128 {
  return v128.or(f32x4.le(v, best), f32x4.ne(best, best))
}
@inline
function ahead(best: v128, v: v128): v128 {
  return v128.bitselect(best, v, stays(best, v))
}
@inline
function four(at: usize, full: bool): v128 {
  return full ? v128.load(at) : v128.load32_zero(at)
}
@inline
function put(to: usize, v: v128, full: bool): void {
  if (full) v128.store(to, v)
  else v128.store32_lane(to, v, 0)
}

/** All channels of one window: `rows` lines of `columns` elements, the first at `x`. */
function largest(
  x: usize, y: usize, bytes: usize, rows: i32, columns: i32, line: usize, step: usize
): void {
  for (let c: usize = 0; c < bytes; ) {
    const full = c + 16 <= bytes
    let best = rows * columns > 0 ? four(x + c, full) : f32x4.splat(<f32>-Infinity)
    for (let u = 0; u < rows; u++)
      for (let v = 0, at = x + c + u * line; v < columns; v++, at += step) best = ahead(best, four(at, full))
    put(y + c, best, full)
    c += full ? 16 : 4
  }
}

/** `once`: no element is in two windows. */
function largestGrad(
  x: usize, dy: usize, dx: usize, bytes: usize, rows: i32, columns: i32, line: usize, step: usize, once: bool
): void {
  for (let c: usize = 0; c < bytes; ) {
    const full = c + 16 <= bytes
    let best = four(x + c, full)
    let place = i32x4.splat(0)
    let index = place
    for (let u = 0; u < rows; u++)
      for (let v = 0, at = x + c + u * line; v < columns; v++, at += step) {
        const one = four(at, full)
        const stay = stays(best, one)
        best = v128.bitselect(best, one, stay)
        place = v128.bitselect(place, index, stay)
        index = i32x4.sub(index, i32x4.splat(-1))
      }
    const given = four(dy + c, full)
    index = i32x4.splat(0)
    for (let u = 0; u < rows; u++)
      for (let v = 0, at = dx + c + u * line; v < columns; v++, at += step) {
        let part = v128.and(given, i32x4.eq(place, index))
        if (!once) part = f32x4.add(four(at, full), part)
        put(at, part, full)
        index = i32x4.sub(index, i32x4.splat(-1))
      }
    c += full ? 16 : 4
  }
}

function mean(
  x: usize, y: usize, bytes: usize, rows: i32, columns: i32, line: usize, step: usize, count: f32
): void {
  for (let c: usize = 0; c < bytes; ) {
    const full = c + 16 <= bytes
    let sum = f32x4.splat(0)
    for (let u = 0; u < rows; u++)
      for (let v = 0, at = x + c + u * line; v < columns; v++, at += step) sum = f32x4.add(sum, four(at, full))
    put(y + c, f32x4.div(sum, f32x4.splat(count)), full)
    c += full ? 16 : 4
  }
}

function meanGrad(
  dy: usize, dx: usize, bytes: usize, rows: i32, columns: i32, line: usize, step: usize, count: f32
): void {
  for (let c: usize = 0; c < bytes; ) {
    const full = c + 16 <= bytes
    const part = f32x4.div(four(dy + c, full), f32x4.splat(count))
    for (let u = 0; u < rows; u++)
      for (let v = 0, at = dx + c + u * line; v < columns; v++, at += step) put(at, f32x4.add(four(at, full), part), full)
    c += full ? 16 : 4
  }
}

/**
 * Sizes as in ./convolution. `kind`: 0 the largest, 1 its gradient, 2 the mean, 3 its gradient; `count`: what a mean divides by, 0
 * for as many as lie in the image. `y` is `dy` for the gradients.
 */
export function pool(
  x: usize, y: usize, dx: usize, kind: i32, count: i32, images: i32, channels: i32,
  height: i32, rows: i32, tall: i32, rowStep: i32, rowDilation: i32, top: i32,
  width: i32, columns: i32, wide: i32, columnStep: i32, columnDilation: i32, left: i32
): void {
  const bytes = channels << 2
  const line = width * bytes
  const once = (tall - 1) * rowDilation < rowStep && (wide - 1) * columnDilation < columnStep
  const whole =
    tall == rowStep && wide == columnStep && once && rows * tall == height && columns * wide == width && (top | left) == 0
  if (kind == 3 || (kind == 1 && !whole)) clear(dx, images * height * line)
  for (let n = 0; n < images; n++)
    for (let i = 0; i < rows; i++) {
      const row = i * rowStep - top
      let u = 0
      let down = tall
      while (u < down && row + u * rowDilation < 0) u++
      while (u < down && row + (down - 1) * rowDilation >= height) down--
      for (let j = 0; j < columns; j++, y += bytes) {
        const column = j * columnStep - left
        let v = 0
        let across = wide
        while (v < across && column + v * columnDilation < 0) v++
        while (v < across && column + (across - 1) * columnDilation >= width) across--
        const from = (n * height + row + u * rowDilation) * line + (column + v * columnDilation) * bytes
        const r = down - u
        const c = across - v
        const stepLine = rowDilation * line
        const step = columnDilation * bytes
        const by = <f32>(count > 0 ? count : max(r * c, 1))
        if (kind == 0) largest(x + from, y, bytes, r, c, stepLine, step)
        else if (kind == 2) mean(x + from, y, bytes, r, c, stepLine, step, by)
        else if (r * c == 0) continue
        else if (kind == 1) largestGrad(x + from, y, dx + from, bytes, r, c, stepLine, step, once)
        else meanGrad(y, dx + from, bytes, r, c, stepLine, step, by)
      }
    }
}
