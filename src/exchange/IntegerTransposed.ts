/**
 * Transposed convolutions of integers, and how large their sums can become.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts` types, `./IntegerBounds.ts` types, `./IntegerProgram.ts` types, `./IntegerWindows.ts`.
 * Laws: test/exchange/IntegerNetwork.test.ts.
 */
import type { Lie } from "./Graph.ts"
import type { Range } from "./IntegerBounds.ts"
import type { Integers, Learned, Meaning, Operation } from "./IntegerProgram.ts"
import { indexOf, product, tapsOf } from "./IntegerWindows.ts"

const at = (numbers: ArrayLike<number>, i: number): number => numbers[i] as number

/** The sizes of what is answered to an image. */
export const sizesOf = (
  { kernel, strides, dilations, pads }: Lie,
  outputPadding: ReadonlyArray<number>,
  image: ReadonlyArray<number>
): ReadonlyArray<number> =>
  image.map((size, i) => {
    const [before, after] = pads[i] ?? [0, 0]
    const span = (at(kernel, i) - 1) * at(dilations, i) + 1
    return (size - 1) * at(strides, i) + span + at(outputPadding, i) - before - after
  })

type Transposed = Extract<Operation, { op: "convTranspose" }>

/** `W [...kernel, out / groups, in]`. */
export const convTranspose = (x: Integers, operation: Transposed): Integers => {
  const { weight, bias, inputZeroPoint, groups, lie, outputPadding } = operation
  const [n = 0, ...rest] = x.shape
  const [image, channels] = [rest.slice(0, -1), rest.at(-1) ?? 0]
  const [perGroup = 0] = weight.shape.slice(-2)
  const sizes = sizesOf(lie, outputPadding, image)
  // the convolution that this one is the transpose of takes the places of the answer to the pixels
  const windows = tapsOf(lie, sizes)
  const [pixels, places, outer, inner] = [product(image), product(sizes), perGroup * groups, channels / groups]
  const data = new Int32Array(n * places * outer)
  if (bias !== undefined) for (let i = 0; i < data.length; i++) data[i] = at(bias, i % outer)
  for (let b = 0; b < n; b++)
    for (let pixel = 0; pixel < pixels; pixel++)
      for (const [tap, place] of windows[pixel] ?? [])
        for (let c = 0; c < channels; c++) {
          const q = at(x.data, (b * pixels + pixel) * channels + c) - inputZeroPoint
          const to = (b * places + place) * outer + Math.floor(c / inner) * perGroup
          for (let o = 0; o < perGroup; o++)
            data[to + o] = at(data, to + o) + q * at(weight.data, (tap * perGroup + o) * channels + c)
        }
  return { shape: [n, ...sizes, outer], data }
}

/** Which taps meet at one output: those that lie in step with each other. */
const classOf = (tap: number, { kernel, strides, dilations }: Lie): string =>
  indexOf(tap, kernel)
    .map((index, i) => (index * at(dilations, i)) % at(strides, i))
    .join(" ")

/**
 * The range of all partial sums.
 *
 * - formula:  per output and class of taps that meet: `high = max(b, 0) + Σ max(0, w l, w h)`; `low` likewise
 * - shapes:   `weight [...kernel, out / groups, in]`, one bias for each output
 * - gradient: none
 * - errors:   none
 * - source:   none
 *
 * @category export
 * @since 0.5.0
 */
export const bounds = (
  {
    weight,
    bias,
    groups,
    lie
  }: Pick<Transposed, "groups" | "lie"> & {
    readonly weight: Integers
    readonly bias: Learned["bias"] | Float64Array
  },
  { low, high, zeroPoint }: Meaning
): Range => {
  const [perGroup = 0, channels = 0] = weight.shape.slice(-2)
  const [least, most] = [Math.min(low - zeroPoint, 0), Math.max(high - zeroPoint, 0)]
  const inner = channels / groups
  const sums = new Map<string, { low: number; high: number; readonly output: number }>()
  for (let i = 0; i < weight.data.length; i++) {
    const [c, o, tap] = [i % channels, Math.floor(i / channels) % perGroup, Math.floor(i / (channels * perGroup))]
    const output = Math.floor(c / inner) * perGroup + o
    const key = `${output} ${classOf(tap, lie)}`
    const sum = sums.get(key) ?? { low: 0, high: 0, output }
    const w = at(weight.data, i)
    sum.low += Math.min(w * least, w * most)
    sum.high += Math.max(w * least, w * most)
    sums.set(key, sum)
  }
  const added = (output: number): number => (bias === undefined ? 0 : at(bias, output))
  const all = [...sums.values()]
  return {
    low: all.reduce((lowest, sum) => Math.min(lowest, sum.low + Math.min(0, added(sum.output))), 0),
    high: all.reduce((highest, sum) => Math.max(highest, sum.high + Math.max(0, added(sum.output))), 0)
  }
}
