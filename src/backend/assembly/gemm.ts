/**
 * Products of matrices: `c = start + a b`, both operands with strides of their own, so that either may be transposed.
 *
 * Blocks of `a` lie packed in the second cache, two panels of `b` in the first; a tile of 4 rows and 8 columns stays in registers.
 * Nothing is skipped, so that 0 * NaN is NaN. An element is the sum over each block of k in order, then over the blocks in order:
 * which depends on k alone, so that it has the same bits in any batch, any order of memory, and at any address.
 */

/** The largest blocks: of k, and of rows. */
const DEPTH = 256
const ROWS = 128

/** From as many rows on, the columns of `b` are worth copying, even if they lie in rows already. */
const WORTH = 12

/** A tile, on its way to where less than a tile is wanted. */
const TILE: usize = 128

@inline
function times(a: v128, b: v128, sum: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, sum)
  else return f32x4.add(sum, f32x4.mul(a, b))
}

/** How large blocks are that divide a length into equal parts, none above the limit. */
@inline
function part(length: i32, limit: i32): i32 {
  const count = (length + limit - 1) / limit
  return count > 1 ? (length + count - 1) / count : length
}

/**
 * Four rows, side by side for each p: `to[p][i] = from[i][p]`. Where there are less than four, the last is there several times:
 * what it adds to is not used.
 */
function pack(from: usize, step: i32, next: i32, count: i32, depth: i32, to: usize, toStep: i32): void {
  let p = 0
  if (step == 4 && count >= 4)
    for (; p < depth; p++) {
      v128.store(to, v128.load(from))
      from += next
      to += toStep
    }
  else {
    let first = from
    let second = count > 1 ? first + step : first
    let third = count > 2 ? second + step : second
    let fourth = count > 3 ? third + step : third
    if (next == 4)
      for (; p + 4 <= depth; p += 4) {
        const a = v128.load(first)
        const b = v128.load(second)
        const c = v128.load(third)
        const d = v128.load(fourth)
        const ab = i32x4.shuffle(a, b, 0, 4, 1, 5)
        const cd = i32x4.shuffle(c, d, 0, 4, 1, 5)
        const ba = i32x4.shuffle(a, b, 2, 6, 3, 7)
        const dc = i32x4.shuffle(c, d, 2, 6, 3, 7)
        v128.store(to, i64x2.shuffle(ab, cd, 0, 2))
        v128.store(to + toStep, i64x2.shuffle(ab, cd, 1, 3))
        to += toStep << 1
        v128.store(to, i64x2.shuffle(ba, dc, 0, 2))
        v128.store(to + toStep, i64x2.shuffle(ba, dc, 1, 3))
        to += toStep << 1
        first += 16
        second += 16
        third += 16
        fourth += 16
      }
    for (; p < depth; p++) {
      store<f32>(to, load<f32>(first))
      store<f32>(to, load<f32>(second), 4)
      store<f32>(to, load<f32>(third), 8)
      store<f32>(to, load<f32>(fourth), 12)
      to += toStep
      first += next
      second += next
      third += next
      fourth += next
    }
  }
}

/** Sixteen columns that lie side by side, as two panels: one line of the cache at a time. */
function packWide(from: usize, next: i32, to: usize, other: usize): void {
  for (const end = other; to < end; to += 32) {
    v128.store(to, v128.load(from))
    v128.store(to, v128.load(from, 16), 16)
    v128.store(other, v128.load(from, 32))
    v128.store(other, v128.load(from, 48), 16)
    from += next
    other += 32
  }
}

/** Four packed rows times eight columns, `bStep` bytes from one p to the next. */
function tile(a: usize, b: usize, bStep: i32, depth: i32, start: usize, startRow: i32, c: usize, cRow: i32): void {
  let c00 = f32x4.splat(0)
  let c01 = c00
  let c10 = c00
  let c11 = c00
  let c20 = c00
  let c21 = c00
  let c30 = c00
  let c31 = c00
  for (const end = a + (depth << 4); a < end; a += 16) {
    const left = v128.load(b)
    const right = v128.load(b, 16)
    let x = v128.load32_splat(a)
    c00 = times(x, left, c00)
    c01 = times(x, right, c01)
    x = v128.load32_splat(a, 4)
    c10 = times(x, left, c10)
    c11 = times(x, right, c11)
    x = v128.load32_splat(a, 8)
    c20 = times(x, left, c20)
    c21 = times(x, right, c21)
    x = v128.load32_splat(a, 12)
    c30 = times(x, left, c30)
    c31 = times(x, right, c31)
    b += bStep
  }
  if (start) {
    c00 = f32x4.add(v128.load(start), c00)
    c01 = f32x4.add(v128.load(start, 16), c01)
    start += startRow
    c10 = f32x4.add(v128.load(start), c10)
    c11 = f32x4.add(v128.load(start, 16), c11)
    start += startRow
    c20 = f32x4.add(v128.load(start), c20)
    c21 = f32x4.add(v128.load(start, 16), c21)
    start += startRow
    c30 = f32x4.add(v128.load(start), c30)
    c31 = f32x4.add(v128.load(start, 16), c31)
  }
  v128.store(c, c00)
  v128.store(c, c01, 16)
  c += cRow
  v128.store(c, c10)
  v128.store(c, c11, 16)
  c += cRow
  v128.store(c, c20)
  v128.store(c, c21, 16)
  c += cRow
  v128.store(c, c30)
  v128.store(c, c31, 16)
}

/** The same where less than four rows or eight columns are wanted: by way of a tile in memory. */
function edge(
  a: usize, b: usize, bStep: i32, depth: i32, start: usize, startRow: i32, c: usize, cRow: i32,
  rows: i32, columns: i32, whole: usize
): void {
  tile(a, b, bStep, depth, 0, 0, whole, 32)
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns << 2; j += 4) {
      const sum = load<f32>(whole + j)
      store<f32>(c + j, start ? load<f32>(start + j) + sum : sum)
    }
    whole += 32
    c += cRow
    if (start) start += startRow
  }
}

/** One row: `b` is read once, in the order in which it lies, four rows at a time. Each sum has the order that it has in a tile. */
function line(a: usize, aNext: i32, b: usize, bNext: i32, depth: i32, n: i32, sums: usize): void {
  memory.fill(sums, 0, n << 2)
  for (let p = 0; p < depth; ) {
    const four = p + 4 <= depth
    const w = v128.load32_splat(a)
    a += aNext
    const end = b + (n << 2)
    let to = sums
    let at = b
    if (four) {
      const x = v128.load32_splat(a)
      const y = v128.load32_splat(a + aNext)
      const z = v128.load32_splat(a + 2 * aNext)
      a += 3 * aNext
      const second = bNext
      const third = 2 * bNext
      const fourth = 3 * bNext
      for (; at + 16 <= end; at += 16) {
        const sum = times(x, v128.load(at + second), times(w, v128.load(at), v128.load(to)))
        v128.store(to, times(z, v128.load(at + fourth), times(y, v128.load(at + third), sum)))
        to += 16
      }
      for (; at < end; at += 4) {
        const sum = times(x, v128.load32_splat(at + second), times(w, v128.load32_splat(at), v128.load32_splat(to)))
        const all = times(z, v128.load32_splat(at + fourth), times(y, v128.load32_splat(at + third), sum))
        v128.store32_lane(to, all, 0)
        to += 4
      }
    } else
      for (; at < end; at += 4) {
        v128.store32_lane(to, times(w, v128.load32_splat(at), v128.load32_splat(to)), 0)
        to += 4
      }
    b += four ? 4 * bNext : bNext
    p += four ? 4 : 1
  }
}

/** The bytes that a product of these sizes needs beside its operands. */
export function gemmScratch(m: i32, n: i32, k: i32): i32 {
  const depth = part(k, DEPTH)
  const rows = part(m, ROWS)
  return 16 + <i32>TILE + (m == 1 ? n << 2 : 0) + (depth << 2) * (((rows + 3) & ~3) + 16)
}

/**
 * `c[i][j] = start[i][j] + Σ_p a[i][p] b[p][j]`; `start` may be 0 (nothing), `c`, or another address. Strides are in elements; the rows
 * of `c` and `start` are contiguous.
 */
export function product(
  a: usize, b: usize, c: usize, m: i32, n: i32, k: i32,
  aRow: i32, aCol: i32, bRow: i32, bCol: i32, cRow: i32, start: usize, startRow: i32, scratch: usize
): void {
  const depth = part(k, DEPTH)
  const rows = part(m, ROWS)
  const whole = (scratch + 15) & ~15
  const right = whole + TILE
  const left = right + (depth << 6)
  const aStep = aRow << 2
  const aNext = aCol << 2
  const bStep = bCol << 2
  const bNext = bRow << 2
  const cStep = cRow << 2
  let startStep = startRow << 2
  const alone = m == 1 && bCol == 1
  let p = 0
  do {
    const deep = min(depth, k - p)
    if (alone) {
      line(a + p * aNext, aNext, b + p * bNext, bNext, deep, n, whole)
      for (let j = 0; j < n << 2; j += 4) {
        const sum = load<f32>(whole + j)
        store<f32>(c + j, start ? load<f32>(start + j) + sum : sum)
      }
    } else for (let i = 0; i < m; i += rows) {
      const most = min(rows, m - i)
      const from = a + i * aStep + p * aNext
      for (let r = 0; r < most; r += 4)
        pack(from + r * aStep, aStep, aNext, most - r, deep, left + (r * deep << 2), 16)
      for (let j = 0; j < n; j += 16) {
        const wide = min(16, n - j)
        const source = b + p * bNext + j * bStep
        const asIs = bCol == 1 && m < WORTH
        const both = bCol == 1 && !asIs && wide == 16
        if (both) packWide(source, bNext, right, right + (deep << 5))
        for (let q = 0; q < wide; q += 8) {
          const columns = min(8, wide - q)
          const direct = asIs && columns == 8
          const panel = direct ? source + (q << 2) : right + (q * deep << 2)
          if (!direct && !both) {
            pack(source + q * bStep, bStep, bNext, columns, deep, panel, 32)
            // what is there twice is not used, but must be numbers that are no slower than others
            const other = columns > 4 ? 4 : 0
            pack(source + (q + other) * bStep, bStep, bNext, columns - other, deep, panel + 16, 32)
          }
          const next = direct ? bNext : 32
          const at = j + q << 2
          for (let r = 0; r < most; r += 4) {
            const to = c + (i + r) * cStep + at
            const add = start ? start + (i + r) * startStep + at : 0
            const packed = left + (r * deep << 2)
            if (columns == 8 && most - r >= 4) tile(packed, panel, next, deep, add, startStep, to, cStep)
            else edge(packed, panel, next, deep, add, startStep, to, cStep, min(4, most - r), columns, whole)
          }
        }
      }
    }
    start = c
    startStep = cStep
    p += depth
  } while (p < k)
}
