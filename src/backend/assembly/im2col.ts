/**
 * The matrix that a convolution multiplies, without writing it out: a block of rows of the image with its zeros around it, and a
 * table that says how far from a pixel's first element each element of its window lies. And the filter, laid out in panels.
 */

/** Copies some multiple of four bytes. */
@inline
export function copy(from: usize, to: usize, bytes: isize): void {
  let at: isize = 0
  for (; at + 16 <= bytes; at += 16) v128.store(to + at, v128.load(from + at))
  for (; at < bytes; at += 4) store<f32>(to + at, load<f32>(from + at))
}
export function clear(to: usize, bytes: isize): void {
  let at: isize = 0
  for (; at + 16 <= bytes; at += 16) v128.store(to + at, i32x4.splat(0))
  for (; at < bytes; at += 4) store<i32>(to + at, 0)
}

/**
 * Rows `first` to `first + count` of an image with `top` rows and `left` columns of zeros before it (rows to leave out below 0), and
 * as many zeros behind as make it `wide`; each channel `repeats` times.
 */
export function surround(
  x: usize, height: i32, width: i32, channels: i32, to: usize,
  first: i32, count: i32, top: i32, left: i32, wide: i32, repeats: i32
): void {
  const pixel = (channels * repeats) << 2
  const before = min(max(left, 0), wide)
  const skipped = max(-left, 0)
  const taken = max(min(width - skipped, wide - before), 0)
  for (let r = 0; r < count; r++) {
    const from = first + r - top
    const end = to + wide * pixel
    if (from >= 0 && from < height) {
      clear(to, before * pixel)
      to += before * pixel
      let row = x + (((from * width + skipped) * channels) << 2)
      if (repeats == 1) copy(row, to, taken * pixel)
      else
        for (let i = 0, at = to; i < taken * channels; i++, row += 4) {
          const one = load<f32>(row)
          for (let k = 0; k < repeats; k++, at += 4) store<f32>(at, one)
        }
      to += taken * pixel
    }
    clear(to, end - to)
    to = end
  }
}

/** The distances of a window's elements in bytes: `inner` channels of each column of each row. */
export function places(
  table: usize, rows: i32, columns: i32, inner: i32, rowBytes: i32, columnBytes: i32
): void {
  for (let u = 0; u < rows; u++)
    for (let v = 0; v < columns; v++)
      for (let c = 0; c < inner; c++, table += 4) store<i32>(table, u * rowBytes + v * columnBytes + (c << 2))
}

/** A matrix in panels of 4 or 8 columns, zeros in those that are missing; `row`, `column`, `channel` and `output` in elements. */
export function panels(
  filter: usize, to: usize, width: i32, outputs: i32,
  rows: i32, columns: i32, inner: i32, row: i32, column: i32, channel: i32, output: i32
): void {
  for (let first = 0; first < outputs; first += width)
    for (let u = 0; u < rows; u++)
      for (let v = 0; v < columns; v++)
        for (let c = 0; c < inner; c++)
          for (let o = first; o < first + width; o++, to += 4) {
            const from = filter + ((u * row + v * column + c * channel + o * output) << 2)
            store<f32>(to, o < outputs ? load<f32>(from) : 0)
          }
}
