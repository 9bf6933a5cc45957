/**
 * How many bits results need: sums, differences, products and accumulators of integers.
 *
 * Widths are computed on the host in whole numbers, so that no width is too narrow by a rounding. They are the smallest that hold
 * every result of every operand, except those of accumulators, which are those of the reference where they suffice.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `./QuantGrid.ts`, `./QuantValue.ts`. Laws: test/core/QuantTensorWidth.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"
import { type Bounds, boundsOf } from "./QuantGrid.ts"
import type { QuantTensor } from "./QuantValue.ts"

/** Width and sign of integers. */
export type Integers = Pick<QuantTensor, "bitWidth" | "signed">

// ---- numbers ------------------------------------------------------------------------------------------------

/** `ceil(log2(x))`, exact: the logarithm only guesses. */
const ceilLog2 = (x: number): number => {
  const guess = Math.ceil(Math.log2(x))
  return 2 ** (guess - 1) >= x ? guess - 1 : 2 ** guess < x ? guess + 1 : guess
}

/** The smallest width that holds all whole numbers from `low` to `high`; unsigned ones start at 0. NaN where they are NaN. */
export const holding = ({ low, high }: Bounds, signed: boolean): number =>
  signed ? 1 + ceilLog2(Math.max(high + 1, -low)) : Math.max(1, ceilLog2(high + 1))

const product = (a: Bounds, b: Bounds, times: number): Bounds => {
  const corners = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high].map((corner) => corner * times)
  return { low: Math.min(...corners), high: Math.max(...corners) }
}

// ---- tensors ------------------------------------------------------------------------------------------------

/** One width of several: the widest, which holds them all. */
const single = (bitWidth: tf.Tensor): tf.Tensor => (bitWidth.size === 1 ? bitWidth : tf.max(bitWidth))
const bitsOf = (bitWidth: tf.Tensor): number => Host.floats(bitWidth)[0] as number

/** A scalar that follows the widths with the given slopes. */
const grown = (
  widths: ReadonlyArray<tf.Tensor>,
  f: (...bits: ReadonlyArray<number>) => { readonly width: number; readonly slopes: ReadonlyArray<number> }
): tf.Tensor =>
  Gradient.customGradient((...given: ReadonlyArray<tf.Tensor>) => {
    const { width, slopes } = f(...given.map(bitsOf))
    return {
      value: tf.scalar(width),
      gradient: (dy) => given.map((one, i) => tf.reshape(tf.mul(dy, slopes[i] as number), one.shape))
    }
  })(...widths.map(single))

/** How much each width contributes to a sum of their ranges. */
const shares = (...bits: ReadonlyArray<number>): ReadonlyArray<number> => {
  const sizes = bits.map((b) => 2 ** b)
  const total = sizes.reduce((a, b) => a + b, 0)
  return sizes.map((size) => size / total)
}

/**
 * The width of a sum of two integers.
 *
 * - formula:  the smallest that holds `low_a + low_b` to `high_a + high_b`
 * - shapes:   `a, b [] -> y []`; of several widths the widest
 * - gradient: `da = dy 2^a / (2^a + 2^b)`, straight through the rounding
 * - errors:   none
 * - source:   Brevitas, quant_tensor/int_quant_tensor.py, widened where a sum would not fit (signed and unsigned of the same width)
 *
 * @category widths
 * @since 0.3.0
 */
export const sumBitWidth = (a: Integers, b: Integers): tf.Tensor =>
  grown([a.bitWidth, b.bitWidth], (p = 0, q = 0) => {
    const [x, y] = [boundsOf(p, a.signed), boundsOf(q, b.signed)]
    const bounds = { low: x.low + y.low, high: x.high + y.high }
    return { width: holding(bounds, a.signed || b.signed), slopes: shares(p, q) }
  })

/**
 * The width of a difference of two integers, which is signed.
 *
 * - formula:  the smallest that holds `low_a - high_b` to `high_a - low_b`
 * - shapes:   `a, b [] -> y []`; of several widths the widest
 * - gradient: `da = dy 2^a / (2^a + 2^b)`, straight through the rounding
 * - errors:   none
 * - source:   Brevitas, quant_tensor/int_quant_tensor.py, which adds the negative and so counts a bit too many of unsigned ones
 *
 * @category widths
 * @since 0.3.0
 */
export const differenceBitWidth = (a: Integers, b: Integers): tf.Tensor =>
  grown([a.bitWidth, b.bitWidth], (p = 0, q = 0) => {
    const [x, y] = [boundsOf(p, a.signed), boundsOf(q, b.signed)]
    return { width: holding({ low: x.low - y.high, high: x.high - y.low }, true), slopes: shares(p, q) }
  })

/** The width of the negative of an integer: one bit more, for `-2^(b-1)` has no opposite; -1 and 1 have. */
export const negativeBitWidth = (x: Integers): tf.Tensor =>
  grown([x.bitWidth], (bits = 0) => {
    if (x.signed && bits < 2) return { width: bits, slopes: [1] }
    const { low, high } = boundsOf(bits, x.signed)
    return { width: holding({ low: -high, high: -low }, true), slopes: [1] }
  })

/** The width of the distance of an integer from any of these zero-points, which is unsigned. */
export const distanceBitWidth = (x: Integers, zeroPoints: ReadonlyArray<number>): tf.Tensor =>
  grown([x.bitWidth], (bits = 0) => {
    const { low, high } = boundsOf(bits, x.signed)
    const furthest = zeroPoints.map((z) => Math.max(Math.abs(low - z), Math.abs(high - z)))
    return { width: holding({ low: 0, high: Math.max(...furthest) }, false), slopes: [1] }
  })

/**
 * The width of a product of two integers.
 *
 * - formula:  `a + b`
 * - shapes:   `a, b -> y`
 * - gradient: `da = db = dy`
 * - errors:   none
 * - source:   Brevitas, quant_tensor/int_quant_tensor.py
 *
 * @category widths
 * @since 0.3.0
 */
export const productBitWidth = (a: Integers, b: Integers): tf.Tensor => tf.add(single(a.bitWidth), single(b.bitWidth))

/**
 * The width of an accumulator: a sum of products of inputs and weights.
 *
 * - formula:  `ceil(log2((2^a - 1) (2^b - 1) n))`, or more where n products of the lowest integers would not fit
 * - shapes:   `a, b [] -> y []`; of several widths the widest
 * - gradient: `da = dy 2^a / (2^a - 1)`, straight through the rounding
 * - errors:   none
 * - source:   Brevitas, quant_tensor/int_torch_handler.py
 *
 * @category widths
 * @since 0.3.0
 */
export const accumulatorBitWidth = (input: Integers, weight: Integers, products: number): tf.Tensor =>
  grown([input.bitWidth, weight.bitWidth], (p = 0, q = 0) => {
    const bounds = product(boundsOf(p, input.signed), boundsOf(q, weight.signed), products)
    const usual = ceilLog2((2 ** p - 1) * (2 ** q - 1) * products)
    const width = Math.max(usual, holding(bounds, input.signed || weight.signed))
    return { width, slopes: [p, q].map((bits) => 2 ** bits / (2 ** bits - 1)) }
  })

/** The width of a sum of so many integers of one format: `ceil(log2((2^b - 1) n))`, or more where that would not hold the lowest. */
export const totalBitWidth = (x: Integers, count: number): tf.Tensor =>
  grown([x.bitWidth], (bits = 0) => {
    const { low, high } = boundsOf(bits, x.signed)
    const width = holding({ low: low * count, high: high * count }, x.signed)
    return { width: Math.max(ceilLog2((2 ** bits - 1) * count), width), slopes: [2 ** bits / (2 ** bits - 1)] }
  })

/** The width of a sum and a quantized bias: one more than the wider of both, or more where that does not hold both. */
export const biasedBitWidth = (sum: Integers, bias: Integers): tf.Tensor =>
  grown([sum.bitWidth, bias.bitWidth], (p = 0, q = 0) => {
    const [x, y] = [boundsOf(p, sum.signed), boundsOf(q, bias.signed)]
    const bounds = { low: x.low + y.low, high: x.high + y.high }
    const width = Math.max(Math.max(p, q) + 1, holding(bounds, sum.signed || bias.signed))
    return { width, slopes: p >= q ? [1, 0] : [0, 1] }
  })

// ---- how many products --------------------------------------------------------------------------------------

const all = (sizes: ReadonlyArray<number>): number => sizes.reduce((a, b) => a * b, 1)

/** How many products an output of a convolution sums. */
export const convolutionProducts = (kernelSize: ReadonlyArray<number>, inChannels: number, groups = 1): number =>
  all(kernelSize) * (inChannels / groups)

/** How many products an output of a transposed convolution sums at most: its kernel meets `ceil(size / stride)` inputs per axis. */
export const transposedProducts = (
  kernelSize: ReadonlyArray<number>,
  strides: ReadonlyArray<number>,
  inChannels: number,
  groups = 1
): number => all(kernelSize.map((size, axis) => Math.ceil(size / (strides[axis] ?? 1)))) * (inChannels / groups)
