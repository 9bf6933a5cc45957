/**
 * Convolution of images, with any strides, dilations, zeros around and groups.
 *
 * The matrix of windows (./im2col) is multiplied tile by tile: 4 pixels with 8 columns of the filter. `deep`: each channel has a filter
 * of its own, so that 4 channels lie beside each other instead.
 */
import { clear, copy, panels, places, surround } from "./im2col"

/** One element for all lanes, or four beside each other. */
@inline
export function taken(at: usize, deep: bool): v128 {
  return deep ? v128.load(at) : v128.load32_splat(at)
}
@inline
export function plus(sum: v128, a: v128, b: v128): v128 {
  return f32x4.add(sum, f32x4.mul(a, b))
}

/** The first `count` of eight numbers. */
function put(to: usize, a: v128, b: v128, count: i32): void {
  if (count >= 4) {
    v128.store(to, a)
    if (count >= 8) {
      v128.store(to, b, 16)
      return
    }
    a = b
    to += 16
    count -= 4
  }
  if (count & 2) {
    v128.store64_lane(to, a, 0)
    a = i64x2.shuffle(a, a, 1, 1)
    to += 8
  }
  if (count & 1) v128.store32_lane(to, a, 0)
}

/** What four pixels give in one panel, in `sums`: `two` vectors or one for each. */
@inline
function pixels(
  p0: usize, p1: usize, p2: usize, p3: usize, table: usize, size: i32, w: usize,
  first: v128, second: v128, y0: usize, y1: usize, y2: usize, y3: usize, columns: i32, many: i32, two: bool, deep: bool
): void {
  let a0 = first
  let a1 = second
  let b0 = first
  let b1 = second
  let c0 = first
  let c1 = second
  let d0 = first
  let d1 = second
  for (const end = table + (size << 2); table < end; table += 4) {
    const at = load<i32>(table)
    const left = v128.load(w)
    let right = left
    if (two) right = v128.load(w, 16)
    const a = taken(p0 + at, deep)
    a0 = plus(a0, a, left)
    if (two) a1 = plus(a1, a, right)
    const b = taken(p1 + at, deep)
    b0 = plus(b0, b, left)
    if (two) b1 = plus(b1, b, right)
    const c = taken(p2 + at, deep)
    c0 = plus(c0, c, left)
    if (two) c1 = plus(c1, c, right)
    const d = taken(p3 + at, deep)
    d0 = plus(d0, d, left)
    if (two) d1 = plus(d1, d, right)
    w += two ? 32 : 16
  }
  put(y0, a0, a1, columns)
  if (many > 1) put(y1, b0, b1, columns)
  if (many > 2) put(y2, c0, c1, columns)
  if (many > 3) put(y3, d0, d1, columns)
}

/** Panels that stay in the nearest cache while the pixels of a block go by. */
const NEAR = 24 << 10

/**
 * For each axis: the size of the image, the outputs, the elements of the filter, how far they lie apart (`step` from output to
 * output, `dilation` from element to element), and the zeros before. `y` may have gaps: its image, row and pixel in elements.
 */
export function correlate(
  x: usize, filter: usize, bias: usize, y: usize, scratch: usize, images: i32, block: i32,
  height: i32, rows: i32, tall: i32, rowStep: i32, rowDilation: i32, top: i32,
  width: i32, columns: i32, wide: i32, columnStep: i32, columnDilation: i32, left: i32,
  groups: i32, inner: i32, outputs: i32, deep: bool, repeats: i32,
  yImage: i32, yRow: i32, yPixel: i32, wRow: i32, wColumn: i32, wChannel: i32, wOutput: i32, wGroup: i32
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
  const packed = scratch + (((size << 2) + 15) & ~15)
  const count = (outputs + panel - 1) / panel
  const panelBytes = size * panel << 2
  const groupBytes = count * panelBytes
  const biases = packed + groups * groupBytes
  const buffer = biases + (groups * count * panel << 2)
  places(scratch, tall, wide, deep ? 1 : inner, rowDilation * line, columnDilation * pixel)
  clear(biases, buffer - biases)
  for (let g = 0; g < groups; g++) {
    panels(
      filter + (g * wGroup << 2), packed + g * groupBytes, panel, outputs,
      tall, wide, deep ? 1 : inner, wRow, wColumn, wChannel, wOutput
    )
    if (bias) copy(bias + (g * outputs << 2), biases + (g * count * panel << 2), outputs << 2)
  }
  const near = max(1, NEAR / max(1, panelBytes))
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
      const out = y + (n * yImage + row * yRow << 2)
      const total = many * columns
      for (let g = 0; g < groups; g++)
        for (let some = 0; some < count; some += near) {
          let i = 0
          let j = 0
          let p0 = base
          let y0 = out
          const last = min(some + near, count)
          for (let q = 0; q < total; q += 4) {
            let p1 = p0
            let p2 = p0
            let p3 = p0
            let y1 = y0
            let y2 = y0
            let y3 = y0
            let next = p0
            let to = y0
            for (let k = 1; k <= 4; k++) {
              if (++j == columns) {
                j = 0
                i++
                next = base + i * rowStep * line
                to = out + (i * yRow << 2)
              } else {
                next += columnStep * pixel
                to += yPixel << 2
              }
              if (q + k >= total) break
              if (k == 1) {
                p1 = next
                y1 = to
              } else if (k == 2) {
                p2 = next
                y2 = to
              } else if (k == 3) {
                p3 = next
                y3 = to
              }
            }
            for (let k = some; k < last; k++) {
              const w = packed + g * groupBytes + k * panelBytes
              const o = k * panel
              const rest = outputs - o
              const c = g * outputs + o << 2
              const from = biases + ((g * count + k) * panel << 2)
              const first = v128.load(from)
              let second = first
              if (two) second = v128.load(from, 16)
              const r = min(total - q, 4)
              const a = deep ? c : g * inner << 2
              if (two)
                pixels(
                  p0 + a, p1 + a, p2 + a, p3 + a, scratch, size, w, first, second,
                  y0 + c, y1 + c, y2 + c, y3 + c, rest, r, true, false
                )
              else if (deep)
                pixels(
                  p0 + a, p1 + a, p2 + a, p3 + a, scratch, size, w, first, second,
                  y0 + c, y1 + c, y2 + c, y3 + c, min(rest, 4), r, false, true
                )
              else
                pixels(
                  p0 + a, p1 + a, p2 + a, p3 + a, scratch, size, w, first, second,
                  y0 + c, y1 + c, y2 + c, y3 + c, rest, r, false, false
                )
            }
            p0 = next
            y0 = to
          }
        }
    }
  }
}
