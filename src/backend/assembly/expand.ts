/** Rows of memory: made longer with zeros or cut, and repeated. */

/** `count` rows from `before` to `after` bytes each. */
export function resize(x: usize, y: usize, count: usize, before: usize, after: usize): void {
  const kept = min(before, after)
  for (let i: usize = 0; i < count; i++) {
    memory.copy(y, x, kept)
    if (after > kept) memory.fill(y + kept, 0, after - kept)
    x += before
    y += after
  }
}

/** Each of `count` rows `times` times, one after the other. */
export function repeat(x: usize, y: usize, count: usize, times: usize, bytes: usize): void {
  for (let i: usize = 0; i < count; i++) {
    if (bytes == 4) {
      const v = v128.load32_splat(x)
      const end = y + (times << 2)
      for (; y + 16 <= end; y += 16) v128.store(y, v)
      for (; y < end; y += 4) v128.store32_lane(y, v, 0)
    } else
      for (let j: usize = 0; j < times; j++) {
        memory.copy(y, x, bytes)
        y += bytes
      }
    x += bytes
  }
}
