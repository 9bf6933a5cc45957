/**
 * Computes a network of integers in plain typed arrays: slow, and the definition of what a device must compute.
 *
 * Every sum is a whole number below 2^53 in size, so that the arithmetic of JavaScript is exact; the bounds of a network say that
 * it stays within the accumulators.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts`, `./GraphConstants.ts`, `./IntegerProgram.ts`, `./IntegerResize.ts`, `./IntegerThresholds.ts`,
 * `./IntegerTransposed.ts`, `./IntegerWindows.ts`.
 * Laws: test/exchange/IntegerNetwork.test.ts.
 */
import type { Lie, Rounding } from "./Graph.ts"
import { roundEven } from "./GraphConstants.ts"
import type { Integers, Learned, Operation, Rescaling, Step } from "./IntegerProgram.ts"
import * as Resize from "./IntegerResize.ts"
import * as Thresholds from "./IntegerThresholds.ts"
import * as Transposed from "./IntegerTransposed.ts"
import { placesOf, product, tapsOf } from "./IntegerWindows.ts"

const at = (numbers: ArrayLike<number>, i: number): number => numbers[i] as number

// ---- rescaling ----------------------------------------------------------------------------------------------

/** `q / 2^shift`, half to even, with whole numbers only. */
export const shifted = (q: number, shift: number): number => {
  if (shift <= 0) return q * 2 ** -shift
  const unit = 2 ** shift
  const floor = Math.floor(q / unit)
  const rest = 2 * (q - floor * unit)
  return rest > unit || (rest === unit && floor % 2 !== 0) ? floor + 1 : floor
}

const rounds: Readonly<Record<Rounding, (x: number) => number>> = {
  nearest: roundEven,
  floor: Math.floor,
  ceil: Math.ceil,
  toZero: Math.trunc,
  other: roundEven
}

const rescaled = (x: Integers, { multiplier, shift, rounding, ...by }: Rescaling): Integers => {
  const { zeroPoint, newZeroPoint, low, high } = by
  const channels = multiplier.length
  const round = rounds[rounding]
  const data = x.data.map((q, i) => {
    const channel = channels === 1 ? 0 : i % channels
    const centred = q - zeroPoint
    const moved =
      shift === undefined || rounding !== "nearest"
        ? round(centred * at(multiplier, channel) + newZeroPoint)
        : // a zero-point is added before rounding: an odd one decides ties the other way
          shifted(centred + newZeroPoint * 2 ** at(shift, channel), at(shift, channel))
    return Math.min(Math.max(moved, low), high)
  })
  return { shape: x.shape, data }
}

// ---- products -----------------------------------------------------------------------------------------------

const linear = (x: Integers, { weight, bias, inputZeroPoint }: Learned): Integers => {
  const [inner = 0, outer = 0] = weight.shape
  const rows = x.data.length / inner
  const data = new Int32Array(rows * outer)
  for (let row = 0; row < rows; row++)
    for (let o = 0; o < outer; o++) {
      let sum = bias === undefined ? 0 : at(bias, o)
      for (let i = 0; i < inner; i++)
        sum += (at(x.data, row * inner + i) - inputZeroPoint) * at(weight.data, i * outer + o)
      data[row * outer + o] = sum
    }
  return { shape: [...x.shape.slice(0, -1), outer], data }
}

const scaleBias = (x: Integers, { weight, bias, inputZeroPoint }: Learned): Integers => {
  const channels = weight.data.length
  const data = x.data.map((q, i) => {
    const channel = i % channels
    return (q - inputZeroPoint) * at(weight.data, channel) + (bias === undefined ? 0 : at(bias, channel))
  })
  return { shape: x.shape, data }
}

// ---- windows ------------------------------------------------------------------------------------------------

const conv = (x: Integers, { weight, bias, inputZeroPoint }: Learned, groups: number, lie: Lie): Integers => {
  const [n = 0, ...rest] = x.shape
  const image = rest.slice(0, -1)
  const channels = rest.at(-1) ?? 0
  const [inner = 0, outer = 0] = weight.shape.slice(-2)
  const windows = tapsOf(lie, image)
  const pixels = product(image)
  const data = new Int32Array(n * windows.length * outer)
  const perGroup = outer / groups
  for (let b = 0; b < n; b++)
    for (const [place, taps] of windows.entries())
      for (let o = 0; o < outer; o++) {
        const first = Math.floor(o / perGroup) * inner
        let sum = bias === undefined ? 0 : at(bias, o)
        for (const [tap, pixel] of taps) {
          const from = (b * pixels + pixel) * channels + first
          const by = tap * inner * outer + o
          for (let i = 0; i < inner; i++)
            sum += (at(x.data, from + i) - inputZeroPoint) * at(weight.data, by + i * outer)
        }
        data[(b * windows.length + place) * outer + o] = sum
      }
  return { shape: [n, ...placesOf(lie, image), outer], data }
}

/** A number for each window and channel, from the integers that lie in it. */
const pooled = (x: Integers, lie: Lie, start: number, step: (now: number, q: number) => number): Integers => {
  const [n = 0, ...rest] = x.shape
  const image = rest.slice(0, -1)
  const channels = rest.at(-1) ?? 0
  const windows = tapsOf(lie, image)
  const pixels = product(image)
  const data = new Int32Array(n * windows.length * channels)
  for (let b = 0; b < n; b++)
    for (const [place, taps] of windows.entries())
      for (let c = 0; c < channels; c++)
        data[(b * windows.length + place) * channels + c] = taps.reduce(
          (now, [, pixel]) => step(now, at(x.data, (b * pixels + pixel) * channels + c)),
          start
        )
  return { shape: [n, ...placesOf(lie, image), channels], data }
}

// ---- joining ------------------------------------------------------------------------------------------------

const concat = (xs: ReadonlyArray<Integers>, axis: number): Integers => {
  const first = xs[0]?.shape ?? []
  const outer = product(first.slice(0, axis))
  const parts = xs.map(({ shape }) => product(shape.slice(axis)))
  const whole = parts.reduce((a, b) => a + b, 0)
  const data = new Int32Array(outer * whole)
  for (let row = 0; row < outer; row++)
    xs.reduce((to, { data: from }, i) => {
      const size = at(parts, i)
      data.set(from.subarray(row * size, (row + 1) * size), to)
      return to + size
    }, row * whole)
  const along = xs.reduce((sum, { shape }) => sum + at(shape, axis), 0)
  return { shape: first.map((size, i) => (i === axis ? along : size)), data }
}

// ---- steps --------------------------------------------------------------------------------------------------

/** What one step makes of its inputs. */
export const computed = (operation: Operation, inputs: ReadonlyArray<Integers>): Integers => {
  const x = inputs[0] as Integers
  switch (operation.op) {
    case "linear":
      return linear(x, operation)
    case "scaleBias":
      return scaleBias(x, operation)
    case "conv":
      return conv(x, operation, operation.groups, operation.lie)
    case "convTranspose":
      return Transposed.convTranspose(x, operation)
    case "rescale":
      return rescaled(x, operation)
    case "thresholds":
      return Thresholds.compared(x, operation)
    case "relu":
      return { shape: x.shape, data: x.data.map((q) => Math.max(q, operation.zeroPoint)) }
    case "maxPool":
      return pooled(x, operation.lie, -(2 ** 31), Math.max)
    case "sumPool":
      return pooled(x, operation.lie, 0, (sum, q) => sum + q - operation.zeroPoint)
    case "flatten":
      return { shape: [x.shape[0] ?? 0, product(x.shape.slice(1))], data: x.data }
    case "resizeNearest":
      return Resize.nearest(x, operation)
    case "resizeLinear":
      return Resize.linear(x, operation)
    case "add": {
      const [, y] = inputs as readonly [Integers, Integers]
      const [a, b] = operation.zeroPoints
      return { shape: x.shape, data: x.data.map((q, i) => q - a + at(y.data, i) - b) }
    }
    case "concat":
      return concat(inputs, operation.axis)
  }
}

/** All values of a network from its first integers, by name. */
export const execute = (steps: ReadonlyArray<Step>, name: string, first: Integers): ReadonlyMap<string, Integers> =>
  steps.reduce(
    (values, { operation, inputs, output }) =>
      values.set(
        output,
        computed(
          operation,
          inputs.map((input) => values.get(input) as Integers)
        )
      ),
    new Map([[name, first]])
  )

// ---- ties ---------------------------------------------------------------------------------------------------

/** Where an integer comes on another grid, before it is rounded. */
export const movedBy = ({ multiplier, zeroPoint, newZeroPoint }: Rescaling, data: Int32Array, i: number): number =>
  (at(data, i) - zeroPoint) * at(multiplier, multiplier.length === 1 ? 0 : i % multiplier.length) + newZeroPoint

/** Operations that round. */
export type Rounds = Extract<Operation, { op: "rescale" | "thresholds" }>

/** Where each integer comes in steps, before it is rounded; undefined: the operation does not round. */
export const positionsOf = (operation: Operation, { data }: Integers): ((i: number) => number) | undefined => {
  if (operation.op === "rescale") return (i) => movedBy(operation, data, i)
  if (operation.op !== "thresholds") return undefined
  const channels = operation.signs.length
  return (i) => Thresholds.movedBy(operation, at(data, i), i % channels)
}

/** How far from its nearest tie each integer was rounded; infinite where there was nothing to decide. */
const marginsOf = (x: Integers, by: Rounds): Float64Array => {
  const position = positionsOf(by, x) as (i: number) => number
  const { low, high, rounding } = by
  return Float64Array.from(x.data, (_, i) => {
    const moved = position(i)
    if (moved < low - 0.75 || moved > high + 0.75) return Number.POSITIVE_INFINITY
    const decides = rounding === "nearest" || rounding === "other" ? moved + 0.5 : moved
    const tie = Math.round(decides)
    // a sign is decided at 0 alone
    return Math.abs(decides - (by.op === "thresholds" ? Math.min(Math.max(tie, low + 1), high) : tie))
  })
}

/** For each element of the batch the smallest distance of a rounding from a tie, in steps. */
export const margins = (steps: ReadonlyArray<Step>, values: ReadonlyMap<string, Integers>): Float64Array => {
  const count = [...values.values()][0]?.shape[0] ?? 0
  const least = new Float64Array(count).fill(Number.POSITIVE_INFINITY)
  for (const { operation, inputs } of steps) {
    if (operation.op !== "rescale" && operation.op !== "thresholds") continue
    const x = values.get(inputs[0] as string) as Integers
    const size = x.data.length / count
    marginsOf(x, operation).forEach((margin, i) => {
      const row = Math.floor(i / size)
      least[row] = Math.min(at(least, row), margin)
    })
  }
  return least
}
