/**
 * Images of integers in another size: by the nearest element, and on straight lines, whose parts are whole numbers of a common
 * denominator.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts` types, `./IntegerProgram.ts` types. Laws: test/exchange/IntegerResize.test.ts.
 */
import type { Size } from "./Graph.ts"
import type { Integers, Operation } from "./IntegerProgram.ts"

const at = (numbers: ArrayLike<number>, i: number): number => numbers[i] as number

/** One place of a resized axis: two old ones, and how many parts of each of them. */
interface Line {
  readonly low: number
  readonly high: number
  readonly parts: readonly [low: number, high: number]
}

const denominator = (to: number, alignCorners: boolean): number => (alignCorners ? Math.max(to - 1, 1) : 2 * to)

/** How many parts height and width have together. */
export const denominators = (to: Size, alignCorners: boolean): number =>
  denominator(to[0], alignCorners) * denominator(to[1], alignCorners)

/** Where a place lies on the old axis, in whole parts. */
const lineOf = (i: number, from: number, to: number, alignCorners: boolean): Line => {
  const parts = denominator(to, alignCorners)
  const place = alignCorners ? (to === 1 ? 0 : i * (from - 1)) : Math.max(0, (2 * i + 1) * from - to)
  const low = Math.min(Math.floor(place / parts), from - 1)
  const rest = low === from - 1 ? 0 : place - low * parts
  return { low, high: Math.min(low + 1, from - 1), parts: [parts - rest, rest] }
}

type Of<Op extends Operation["op"]> = Extract<Operation, { op: Op }>

/** An image of another size, each element by its row, its column and its channel. */
const resized = (
  { shape, data }: Integers,
  [tall, wide]: Size,
  value: (pixel: (row: number, column: number) => number, row: number, column: number) => number
): Integers => {
  const [n = 0, height = 0, width = 0, channels = 0] = shape
  const out = new Int32Array(n * tall * wide * channels)
  for (let b = 0; b < n; b++)
    for (let c = 0; c < channels; c++) {
      const pixel = (row: number, column: number): number =>
        at(data, ((b * height + row) * width + column) * channels + c)
      for (let row = 0; row < tall; row++)
        for (let column = 0; column < wide; column++)
          out[((b * tall + row) * wide + column) * channels + c] = value(pixel, row, column)
    }
  return { shape: [n, tall, wide, channels], data: out }
}

export const nearest = (x: Integers, { from, to }: Of<"resizeNearest">): Integers =>
  resized(x, to, (pixel, row, column) =>
    pixel(Math.floor((row * from[0]) / to[0]), Math.floor((column * from[1]) / to[1]))
  )

export const linear = (x: Integers, { from, to, alignCorners, zeroPoint }: Of<"resizeLinear">): Integers => {
  const linesOf = (axis: 0 | 1): ReadonlyArray<Line> =>
    Array.from({ length: to[axis] }, (_, i) => lineOf(i, from[axis], to[axis], alignCorners))
  const [rows, columns] = [linesOf(0), linesOf(1)]
  return resized(x, to, (pixel, row, column) => {
    const [r, c] = [rows[row] as Line, columns[column] as Line]
    const along = (place: number): number =>
      (pixel(place, c.low) - zeroPoint) * c.parts[0] + (pixel(place, c.high) - zeroPoint) * c.parts[1]
    return along(r.low) * r.parts[0] + along(r.high) * r.parts[1]
  })
}
