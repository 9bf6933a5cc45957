/**
 * Single float32 numbers as bits: their neighbours, and whether two are the same.
 *
 * Room: laws. Imports: none.
 */

const floats = new Float32Array(1)
const patterns = new Int32Array(floats.buffer)

/** The float32 with this bit pattern. */
export const fromPattern = (pattern: number): number => {
  patterns[0] = pattern
  return floats[0] as number
}

const patternOf = (x: number): number => {
  floats[0] = x
  return patterns[0] as number
}

/** The smallest float32 above a finite one. */
export const above = (x: number): number =>
  x === 0 ? 2 ** -149 : fromPattern(x > 0 ? patternOf(x) + 1 : patternOf(x) - 1)

/** The largest float32 below a finite one. */
export const below = (x: number): number => -above(-x)

/** The same number, zeros by their sign; NaN is NaN, whatever its payload. */
export const same = (a: number, b: number): boolean => Object.is(a, b)

/** Where two lists differ first, in words. */
export const difference = (
  got: ArrayLike<number>,
  wanted: ArrayLike<number>,
  what: (i: number) => string = (i) => `element ${i}`
): string | undefined => {
  if (got.length !== wanted.length) return `it has ${got.length} elements, not ${wanted.length}`
  for (let i = 0; i < wanted.length; i++) {
    const [mine, theirs] = [got[i] as number, wanted[i] as number]
    if (!same(mine, theirs)) return `${what(i)} is ${shown(mine)}, not ${shown(theirs)}`
  }
  return undefined
}

/** A number as text, -0 as such. */
export const shown = (x: number): string => (Object.is(x, -0) ? "-0" : String(x))
