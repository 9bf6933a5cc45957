/**
 * The gradient of a convolution's filter, of the strides, dilations, zeros around and groups that ./convolution takes.
 *
 * The matrix of windows (./im2col), transposed, is multiplied tile by tile: 4 rows of the gradient with 8 columns of `dy`.
 */
import { plus, taken } from "./convolution"
import { clear, copy, places, surround } from "./im2col"

/** Adds to four rows of a panel of the gradient what the pixels of a block give. */
@inline
function rowsOf(
  x: usize, t0: usize, t1: usize, t2: usize, t3: usize, dy: usize, dw: usize,
  rows: i32, columns: i32, xRow: usize, xColumn: usize, dyColumn: usize, two: bool, deep: bool
): void {
  let a0 = f32x4.splat(0)
  let a1 = a0
  let b0 = a0
  let b1 = a0
  let c0 = a0
  let c1 = a0
  let d0 = a0
  let d1 = a0
  for (let i = 0; i < rows; i++) {
    let p0 = x + t0
    let p1 = x + t1
    let p2 = x + t2
    let p3 = x + t3
    for (const end = dy + columns * dyColumn; dy < end; dy += dyColumn) {
      const left = v128.load(dy)
      let right = left
      if (two) right = v128.load(dy, 16)
      const a = taken(p0, deep)
      a0 = plus(a0, a, left)
      if (two) a1 = plus(a1, a, right)
      const b = taken(p1, deep)
      b0 = plus(b0, b, left)
      if (two) b1 = plus(b1, b, right)
      const c = taken(p2, deep)
      c0 = plus(c0, c, left)
      if (two) c1 = plus(c1, c, right)
      const d = taken(p3, deep)
      d0 = plus(d0, d, left)
      if (two) d1 = plus(d1, d, right)
      p0 += xColumn
      p1 += xColumn
      p2 += xColumn
      p3 += xColumn
    }
    x += xRow
  }
  const step = two ? 32 : 16
  add(dw, a0)
  add(dw + step, b0)
  add(dw + 2 * step, c0)
  add(dw + 3 * step, d0)
  if (two) {
    add(dw + 16, a1)
    add(dw + 48, b1)
    add(dw + 80, c1)
    add(dw + 112, d1)
  }
}
@inline
function add(to: usize, sum: v128): void {
  v128.store(to, f32x4.add(v128.load(to), sum))
}

/** `dw`, as `correlate` is given: elements, channels and outputs as the filter has them. */
export function correlateFilter(
  x: usize, dy: usize, dw: usize, scratch: usize, images: i32, block: i32,
  height: i32, rows: i32, tall: i32, rowStep: i32, rowDilation: i32, top: i32,
  width: i32, columns: i32, wide: i32, columnStep: i32, columnDilation: i32, left: i32,
  groups: i32, inner: i32, outputs: i32, deep: bool, repeats: i32
): void {
  const channels = groups * inner
  const two = !deep && outputs > 4
  const panel = two ? 8 : 4
  const size = deep ? tall * wide : tall * wide * inner
  const across = (columns - 1) * columnStep + (wide - 1) * columnDilation + 1
  const down = (rows - 1) * rowStep + (tall - 1) * rowDilation + 1
  const inside = top <= 0 && left <= 0 && down - top <= height && across - left <= width
  const direct = inside && repeats == 1 && (!deep || (inner & 3) == 0)
  const line = (direct ? width : across) * channels * repeats << 2
  const pixel = channels * repeats << 2
  const sums = scratch + (((size << 2) + 15) & ~15)
  const count = (outputs + panel - 1) / panel
  const panelBytes = ((size + 3) & ~3) * panel << 2
  const gradients = sums + groups * count * panelBytes
  // columns in panels of their own, where they do not fill them
  const apart = (outputs & (panel - 1)) != 0
  const dyPixel = groups * outputs << 2
  const buffer = gradients + (apart ? groups * count * panel * block * columns << 2 : 0)
  places(scratch, tall, wide, deep ? 1 : inner, rowDilation * line, columnDilation * pixel)
  clear(sums, groups * count * panelBytes)
  for (let n = 0; n < images; n++) {
    const image = x + (n * height * width * channels << 2)
    for (let row = 0; row < rows; row += block) {
      const many = min(block, rows - row)
      let base = image + (((row * rowStep - top) * width - left) * channels << 2)
      if (!direct) {
        const needed = (many - 1) * rowStep + (tall - 1) * rowDilation + 1
        surround(image, height, width, channels, buffer, row * rowStep, needed, top, left, across, repeats)
        base = buffer
      }
      const from = dy + (n * rows + row) * columns * dyPixel
      const total = many * columns
      for (let g = 0; g < groups; g++)
        for (let k = 0; k < count; k++) {
          let d = from + (g * outputs + k * panel << 2)
          if (apart) {
            const rest = outputs - k * panel
            const used = min(rest, panel) << 2
            for (let q = 0, to = gradients; q < total; q++, to += panel << 2, d += dyPixel) {
              copy(d, to, used)
              clear(to + used, (panel << 2) - used)
            }
            d = gradients
          }
          const step = apart ? panel << 2 : dyPixel
          const to = sums + (g * count + k) * panelBytes
          const b = base + (deep ? k << 4 : g * inner << 2)
          for (let t = 0; t < size; t += 4) {
            const at = scratch + (t << 2)
            const t0 = load<i32>(at)
            const t1 = t + 1 < size ? load<i32>(at, 4) : t0
            const t2 = t + 2 < size ? load<i32>(at, 8) : t0
            const t3 = t + 3 < size ? load<i32>(at, 12) : t0
            const w = to + (t * panel << 2)
            if (two)
              rowsOf(b, t0, t1, t2, t3, d, w, many, columns, rowStep * line, columnStep * pixel, step, true, false)
            else if (deep)
              rowsOf(b, t0, t1, t2, t3, d, w, many, columns, rowStep * line, columnStep * pixel, step, false, true)
            else
              rowsOf(b, t0, t1, t2, t3, d, w, many, columns, rowStep * line, columnStep * pixel, step, false, false)
          }
        }
    }
  }
  for (let g = 0; g < groups; g++)
    for (let k = 0; k < count; k++)
      for (let t = 0; t < size; t++) {
        const from = sums + (g * count + k) * panelBytes + (t * panel << 2)
        const to = dw + (t * groups * outputs + g * outputs + k * panel << 2)
        copy(from, to, min(outputs - k * panel, panel) << 2)
      }
}
