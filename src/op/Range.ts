/**
 * Ranges of integer formats, and of sums of products of them.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`, `./PowerOfTwo.ts`. Laws: test/op/Range.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Constant from "../tensor/Constant.ts"
import * as Float32 from "../tensor/Float32.ts"
import { exp2 } from "./PowerOfTwo.ts"

/** Which integers a format has, apart from its width. */
export interface IntegerRange {
  readonly signed: boolean
  /** leaves out one value: the lowest if signed, the highest otherwise */
  readonly narrowRange: boolean
}

const fround = Math.fround

/**
 * The largest integer of a format with so many bits: as float32, with the bits of `maxInt`.
 *
 * - formula:  `signed: 2^(b-1) - 1; unsigned: 2^b - 1 - narrowRange`
 * - shapes:   one number -> one number
 * - gradient: none: numbers, no tensors
 * - errors:   none; widths need not be whole
 * - source:   Brevitas, function/ops.py (max_int)
 *
 * @category range
 * @since 0.3.0
 */
export const largest = (bitWidth: number, { signed, narrowRange }: IntegerRange): number =>
  signed
    ? fround(fround(Float32.exp2(fround(bitWidth - 1))) - 1)
    : fround(fround(Float32.exp2(bitWidth)) - (narrowRange ? 2 : 1))

/**
 * The smallest integer of a format with so many bits: as float32, with the bits of `minInt`.
 *
 * - formula:  `signed: -2^(b-1) + narrowRange; unsigned: 0`
 * - shapes:   one number -> one number
 * - gradient: none: numbers, no tensors
 * - errors:   none; widths need not be whole
 * - source:   Brevitas, function/ops.py (min_int)
 *
 * @category range
 * @since 0.3.0
 */
export const smallest = (bitWidth: number, { signed, narrowRange }: IntegerRange): number =>
  signed ? fround((narrowRange ? 1 : 0) - fround(Float32.exp2(fround(bitWidth - 1)))) : bitWidth * 0

/** A bound of a width that is known, or by operations. */
const bound = (bitWidth: tf.Tensor, known: (bitWidth: number) => number, formula: () => tf.Tensor): tf.Tensor => {
  const bits = Constant.numberOf(bitWidth)
  return bits === undefined ? formula() : Constant.scalar(known(bits))
}

/**
 * The largest integer of a format.
 *
 * - formula:  `signed: 2^(b-1) - 1; unsigned: 2^b - 1 - narrowRange`
 * - shapes:   `b [...d] -> y [...d]`
 * - gradient: `db = dy * ln(2) * 2^(b-1)` or `2^b`
 * - errors:   none; widths need not be whole
 * - source:   Brevitas, function/ops.py (max_int)
 *
 * @category range
 * @since 0.1.0
 */
export const maxInt = (bitWidth: tf.Tensor, range: IntegerRange): tf.Tensor =>
  bound(
    bitWidth,
    (bits) => largest(bits, range),
    () => (range.signed ? tf.sub(exp2(tf.sub(bitWidth, 1)), 1) : tf.sub(exp2(bitWidth), range.narrowRange ? 2 : 1))
  )

/**
 * The smallest integer of a format.
 *
 * - formula:  `signed: -2^(b-1) + narrowRange; unsigned: 0`
 * - shapes:   `b [...d] -> y [...d]`
 * - gradient: `db = -dy * ln(2) * 2^(b-1)`, or 0
 * - errors:   none; widths need not be whole
 * - source:   Brevitas, function/ops.py (min_int)
 *
 * @category range
 * @since 0.1.0
 */
export const minInt = (bitWidth: tf.Tensor, range: IntegerRange): tf.Tensor =>
  bound(
    bitWidth,
    (bits) => smallest(bits, range),
    () => (range.signed ? tf.add(tf.neg(exp2(tf.sub(bitWidth, 1))), range.narrowRange ? 1 : 0) : tf.mul(bitWidth, 0))
  )

/**
 * The largest l1 norm of integer weights with which no sum of products overflows an accumulator, whatever the inputs are.
 *
 * - formula:  `(2^(P-1) - 1) * 2^(S - N)`, accumulator bits P, input bits N, S = 1 for signed inputs, else 0
 * - shapes:   `P, N broadcast to [...d] -> y [...d]`
 * - gradient: `dP = dy * ln(2) * 2^(P-1) * 2^(S - N)`, `dN = -dy * ln(2) * y`
 * - errors:   none; widths need not be whole
 * - source:   Colbert, Pappalardo, Petri-Koenig 2023, arXiv:2301.13376
 *
 * @category range
 * @since 0.2.0
 */
export const l1Bound = (accumulatorBitWidth: tf.Tensor, inputBitWidth: tf.Tensor, inputIsSigned: boolean): tf.Tensor =>
  tf.mul(
    maxInt(accumulatorBitWidth, { signed: true, narrowRange: false }),
    exp2(tf.sub(inputIsSigned ? 1 : 0, inputBitWidth))
  )

/**
 * The same for weights that add up to nothing: positive and negative products cannot all have one sign, so that the norm may be
 * larger.
 *
 * - formula:  `(2^P - 2) / (2^N - 1)`, accumulator bits P, input bits N
 * - shapes:   `P, N broadcast to [...d] -> y [...d]`
 * - gradient: `dP = dy * ln(2) * 2^P / (2^N - 1)`, `dN = -dy * ln(2) * 2^N * y / (2^N - 1)`
 * - errors:   none; widths need not be whole
 * - source:   Colbert et al. 2024, arXiv:2401.10432
 *
 * @category range
 * @since 0.3.0
 */
export const centredL1Bound = (accumulatorBitWidth: tf.Tensor, inputBitWidth: tf.Tensor): tf.Tensor =>
  tf.div(tf.sub(exp2(accumulatorBitWidth), 2), tf.sub(exp2(inputBitWidth), 1))
