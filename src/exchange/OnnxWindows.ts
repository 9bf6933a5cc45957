/**
 * What the operators on images compute, on plain arrays: convolutions, pools, other sizes.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts` types, `./IntegerWindows.ts`, `./OnnxArrays.ts`, `./OnnxAttributes.ts`,
 * `./OnnxModel.ts` types. Laws: test/exchange/OnnxEvaluator.test.ts.
 */
import type * as Graph from "./Graph.ts"
import { placesOf, tapsOf } from "./IntegerWindows.ts"
import * as Arrays from "./OnnxArrays.ts"
import { type Compute, given, int, ints, text } from "./OnnxAttributes.ts"
import type * as OnnxModel from "./OnnxModel.ts"

type Values = Arrays.Values

// ---- windows ------------------------------------------------------------------------------------------------

const lieOf = (node: OnnxModel.Node, kernel: ReadonlyArray<number>): Graph.Lie => {
  const pads = ints(node, "pads") ?? kernel.flatMap(() => [0, 0])
  const ones = kernel.map(() => 1)
  return {
    kernel,
    strides: ints(node, "strides") ?? ones,
    dilations: ints(node, "dilations") ?? ones,
    pads: kernel.map((_, i) => [pads[i] as number, pads[i + kernel.length] as number] as const)
  }
}

export const conv: Compute = (node, inputs) => {
  const [x, w, bias] = [given(node, inputs, 0), given(node, inputs, 1), inputs[2]]
  const [n = 0, channels = 0, ...image] = x.shape
  const [outer = 0, inner = 0, ...kernel] = w.shape
  const lie = lieOf(node, kernel)
  const windows = tapsOf(lie, image)
  const [pixels, taps] = [Arrays.product(image), Arrays.product(kernel)]
  const perGroup = outer / int(node, "group", 1)
  const data = new Float64Array(n * outer * windows.length)
  for (let b = 0; b < n; b++)
    for (let o = 0; o < outer; o++)
      for (const [place, window] of windows.entries()) {
        let sum = bias?.data[o] ?? 0
        for (let c = 0; c < inner; c++) {
          const from = (b * channels + Math.floor(o / perGroup) * inner + c) * pixels
          const by = (o * inner + c) * taps
          for (const [tap, pixel] of window) sum += (x.data[from + pixel] as number) * (w.data[by + tap] as number)
        }
        data[(b * outer + o) * windows.length + place] = Math.fround(sum)
      }
  return { shape: [n, outer, ...placesOf(lie, image)], data }
}

/** A number for each window of each channel. */
export const pooled = (
  node: OnnxModel.Node,
  x: Values,
  f: (values: ReadonlyArray<number>, taps: number) => number
): Values => {
  const [n = 0, channels = 0, ...image] = x.shape
  const lie = lieOf(node, ints(node, "kernel_shape") ?? [])
  const windows = tapsOf(lie, image)
  const [pixels, taps] = [Arrays.product(image), Arrays.product(lie.kernel)]
  const data = new Float64Array(n * channels * windows.length)
  for (let plane = 0; plane < n * channels; plane++)
    for (const [place, window] of windows.entries()) {
      const values = window.map(([, pixel]) => x.data[plane * pixels + pixel] as number)
      data[plane * windows.length + place] = Math.fround(f(values, taps))
    }
  return { shape: [n, channels, ...placesOf(lie, image)], data }
}

/** Every element goes to as many places as the kernel has taps. */
export const convTranspose: Compute = (node, inputs) => {
  const [x, w, bias] = [given(node, inputs, 0), given(node, inputs, 1), inputs[2]]
  const [n = 0, channels = 0, ...image] = x.shape
  const [, perGroup = 0, ...kernel] = w.shape
  const lie = lieOf(node, kernel)
  const groups = int(node, "group", 1)
  const extra = ints(node, "output_padding") ?? kernel.map(() => 0)
  const sizes = image.map((size, i) => {
    const [before, after] = lie.pads[i] as readonly [number, number]
    const span = ((kernel[i] as number) - 1) * (lie.dilations[i] as number) + 1
    return (size - 1) * (lie.strides[i] as number) + span + (extra[i] as number) - before - after
  })
  // the convolution that this one is the transpose of: which of its taps take which of the answer's places
  const windows = tapsOf(lie, sizes)
  const [pixels, places, taps] = [Arrays.product(image), Arrays.product(sizes), Arrays.product(kernel)]
  const outer = perGroup * groups
  const sums = new Float64Array(n * outer * places)
  const inner = channels / groups
  for (let b = 0; b < n; b++)
    for (let c = 0; c < channels; c++)
      for (let o = 0; o < perGroup; o++) {
        const to = (b * outer + Math.floor(c / inner) * perGroup + o) * places
        const by = (c * perGroup + o) * taps
        for (let pixel = 0; pixel < pixels; pixel++)
          for (const [tap, place] of windows[pixel] as ReadonlyArray<readonly [number, number]>)
            sums[to + place] =
              (sums[to + place] as number) +
              (x.data[(b * channels + c) * pixels + pixel] as number) * (w.data[by + tap] as number)
      }
  const added = (i: number): number => bias?.data[Math.floor(i / places) % outer] ?? 0
  return { shape: [n, outer, ...sizes], data: sums.map((sum, i) => Math.fround(sum + added(i))) }
}

/** Where an element of a resized axis lies on the old one. */
const placed = (node: OnnxModel.Node, from: number, to: number, scale: number): ((i: number) => number) => {
  const how = text(node, "coordinate_transformation_mode")
  switch (how) {
    case "asymmetric":
      return (i) => i / scale
    case "half_pixel":
      return (i) => (i + 0.5) / scale - 0.5
    case "align_corners":
      return (i) => (to === 1 ? 0 : (i * (from - 1)) / (to - 1))
    default:
      throw new Error(`Resize "${node.name}" places elements by "${how}"`)
  }
}

/** One axis in another size: each element of two old ones. */
const resized = (x: Values, axis: number, to: number, at: (i: number) => number, isNearest: boolean): Values => {
  const from = x.shape[axis] as number
  const inner = Arrays.product(x.shape.slice(axis + 1))
  const shape = x.shape.map((size, i) => (i === axis ? to : size))
  const value = (row: number, place: number, column: number): number =>
    x.data[(row * from + place) * inner + column] as number
  const data = Float64Array.from({ length: Arrays.product(shape) }, (_, i) => {
    const [column, row] = [i % inner, Math.floor(i / (inner * to))]
    const place = Math.min(Math.max(at(Math.floor(i / inner) % to), 0), from - 1)
    const low = Math.floor(place)
    if (isNearest) return value(row, low, column)
    const part = place - low
    return value(row, low, column) * (1 - part) + value(row, Math.min(low + 1, from - 1), column) * part
  })
  return { shape, data }
}

/** Nearest from above and left, or on straight lines. */
export const resize: Compute = (node, inputs) => {
  const [x, scales] = [given(node, inputs, 0), given(node, inputs, 2)]
  const mode = text(node, "mode")
  const isNearest = mode === "nearest" && text(node, "nearest_mode") === "floor"
  if (!isNearest && mode !== "linear") throw new Error(`Resize "${node.name}" is by "${mode}"`)
  const all = x.shape.reduce((y, from, axis) => {
    const scale = scales.data[axis] as number
    const to = Math.floor(Math.fround(from * scale))
    return to === from && scale === 1 ? y : resized(y, axis, to, placed(node, from, to, scale), isNearest)
  }, x)
  return Arrays.mapped(all, (value) => value)
}
