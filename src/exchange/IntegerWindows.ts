/**
 * Which pixels lie under which taps of windows on an image of any number of axes.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts` types. Laws: test/exchange/IntegerNetwork.test.ts.
 */
import type { Lie } from "./Graph.ts"

export const product = (sizes: ReadonlyArray<number>): number => sizes.reduce((a, b) => a * b, 1)
const at = (numbers: ArrayLike<number>, i: number): number => numbers[i] as number

/** How many windows fit along each axis of an image. */
export const placesOf = (
  { kernel, strides, dilations, pads }: Lie,
  image: ReadonlyArray<number>
): ReadonlyArray<number> =>
  image.map((size, i) => {
    const [before, after] = pads[i] ?? [0, 0]
    const span = (at(kernel, i) - 1) * at(dilations, i) + 1
    return Math.max(0, Math.floor((size + before + after - span) / at(strides, i)) + 1)
  })

/** The index along each axis of a place in row-major order. */
export const indexOf = (place: number, sizes: ReadonlyArray<number>): ReadonlyArray<number> =>
  sizes.map((size, i) => Math.floor(place / product(sizes.slice(i + 1))) % size)

/** For each window, the taps that lie in the image: which tap of the kernel, and which pixel. */
export const tapsOf = (
  lie: Lie,
  image: ReadonlyArray<number>
): ReadonlyArray<ReadonlyArray<readonly [number, number]>> => {
  const places = placesOf(lie, image)
  const taps = Array.from({ length: product(lie.kernel) }, (_, tap) => indexOf(tap, lie.kernel))
  return Array.from({ length: product(places) }, (_, place) => {
    const start = indexOf(place, places)
    return taps.flatMap((offsets, tap) => {
      const pixel = offsets.map(
        (offset, i) => at(start, i) * at(lie.strides, i) + offset * at(lie.dilations, i) - (lie.pads[i]?.[0] ?? 0)
      )
      const isInside = pixel.every((p, i) => p >= 0 && p < at(image, i))
      return isInside ? [[tap, pixel.reduce((sum, p, i) => sum * at(image, i) + p, 0)] as const] : []
    })
  })
}
