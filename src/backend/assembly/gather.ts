/** Rows of a table by their numbers, which must be in it, and the gradient: rows added in order. */
import { clear, copy } from "./im2col"

export function gather(table: usize, indices: usize, y: usize, count: i32, columns: i32): void {
  const bytes = columns << 2
  for (const end = indices + (count << 2); indices < end; indices += 4, y += bytes)
    copy(table + load<i32>(indices) * bytes, y, bytes)
}

export function gatherGrad(dy: usize, indices: usize, dtable: usize, count: i32, columns: i32, rows: i32): void {
  const bytes = columns << 2
  clear(dtable, rows * bytes)
  for (const end = indices + (count << 2); indices < end; indices += 4) {
    let to = dtable + load<i32>(indices) * bytes
    let at = 0
    for (; at + 16 <= bytes; at += 16, to += 16, dy += 16)
      v128.store(to, f32x4.add(v128.load(to), v128.load(dy)))
    for (; at < bytes; at += 4, to += 4, dy += 4) store<f32>(to, load<f32>(to) + load<f32>(dy))
  }
}
