/**
 * What integer weights can add up to: the norms of their output channels, and the extreme sums of products with any input.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `./QuantTensor.ts`. Laws: test/nn/A2Q.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Host from "../tensor/Host.ts"
import * as QuantTensor from "./QuantTensor.ts"

/** Sums over the integers of each output channel: `[channels]`. */
export interface ChannelNorms {
  /** of magnitudes */
  readonly l1: tf.Tensor
  /** of the positive ones */
  readonly positive: tf.Tensor
  /** of the negative ones, as a magnitude */
  readonly negative: tf.Tensor
}

/** The integers with their zero-points taken off, and the axes of one output channel. */
const centred = (weight: QuantTensor.QuantTensor, axis: number) => ({
  q: tf.sub(QuantTensor.integers(weight), weight.zeroPoint),
  axes: weight.value.shape.flatMap((_, i) => (i === axis ? [] : [i]))
})

/**
 * The norms of a weight's integers, for each output channel.
 *
 * - formula:  `l1 = sum |q|`, `positive = sum max(q, 0)`, `negative = sum max(-q, 0)`, `q` the integers without their zero-point
 * - shapes:   `weight [..., channels on the axis, ...] -> each [channels]`
 * - gradient: straight through the rounding
 * - errors:   none; exact up to 2^24
 * - source:   Colbert, Pappalardo, Petri-Koenig 2023, arXiv:2308.13504
 *
 * @category accumulator
 * @since 0.3.0
 */
export const channelNorms = (weight: QuantTensor.QuantTensor, outputChannelAxis: number): ChannelNorms =>
  tf.tidy(() => {
    const { q, axes } = centred(weight, outputChannelAxis)
    const positive = tf.sum(tf.relu(q), axes)
    const negative = tf.sum(tf.relu(tf.neg(q)), axes)
    return { l1: tf.add(positive, negative), positive, negative }
  })

/** The lowest and highest sum that an output channel can come to. */
export interface Extremes {
  readonly low: number
  readonly high: number
}

/**
 * The extreme sums of products of a weight's integers with inputs of a width and sign, whatever the inputs are, for each output
 * channel: exactly, on the host.
 *
 * - formula:  `high = positive * x_max + negative * -x_min`, `low = -(positive * -x_min + negative * x_max)`
 * - shapes:   `weight [..., channels on the axis, ...] -> channels`
 * - gradient: none
 * - errors:   none; exact up to 2^53
 * - source:   Colbert, Pappalardo, Petri-Koenig 2023, arXiv:2308.13504
 *
 * @category accumulator
 * @since 0.3.0
 */
export const extremes = (
  weight: QuantTensor.QuantTensor,
  outputChannelAxis: number,
  input: { readonly bitWidth: number; readonly signed: boolean }
): ReadonlyArray<Extremes> => {
  const { low, high } = QuantTensor.boundsOf(input.bitWidth, input.signed)
  const channels = weight.value.shape[outputChannelAxis] ?? 1
  const inner = weight.value.shape.slice(outputChannelAxis + 1).reduce((a, b) => a * b, 1)
  const integers = tf.tidy(() => Host.floats(centred(weight, outputChannelAxis).q).slice())
  const sums = Array.from({ length: channels }, () => ({ low: 0, high: 0 }))
  integers.forEach((q, i) => {
    const sum = sums[Math.floor(i / inner) % channels] as { low: number; high: number }
    sum.low += q > 0 ? q * low : q * high
    sum.high += q > 0 ? q * high : q * low
  })
  return sums
}

/** Whether an accumulator of signed integers holds every sum of products of a weight's integers with such inputs. */
export const fits = (
  weight: QuantTensor.QuantTensor,
  outputChannelAxis: number,
  input: { readonly bitWidth: number; readonly signed: boolean },
  accumulatorBitWidth: number
): boolean => {
  const { low, high } = QuantTensor.boundsOf(accumulatorBitWidth, true)
  return extremes(weight, outputChannelAxis, input).every((sum) => sum.low >= low && sum.high <= high)
}
