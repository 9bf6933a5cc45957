/**
 * Ranges of integer formats.
 *
 * Room: op (level 1). Imports: tfjs, `./PowerOfTwo.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { exp2 } from "./PowerOfTwo.ts"

/** Which integers a format has, apart from its width. */
export interface IntegerRange {
  readonly signed: boolean
  /** leaves out one value: the lowest if signed, the highest otherwise */
  readonly narrowRange: boolean
}

/**
 * The largest integer of a format.
 *
 * - formula:  `signed: 2^(b-1) - 1; unsigned: 2^b - 1 - narrowRange`
 * - shapes:   `b [] -> y []`
 * - gradient: `db = dy * ln(2) * 2^(b-1)` or `2^b`
 * - errors:   none
 * - source:   Brevitas, function/ops.py
 *
 * @category range
 * @since 0.1.0
 */
export const maxInt = (bitWidth: tf.Tensor, { signed, narrowRange }: IntegerRange): tf.Tensor =>
  signed ? tf.sub(exp2(tf.sub(bitWidth, 1)), 1) : tf.sub(exp2(bitWidth), narrowRange ? 2 : 1)

/**
 * The smallest integer of a format.
 *
 * - formula:  `signed: -2^(b-1) + narrowRange; unsigned: 0`
 * - shapes:   `b [] -> y []`
 * - gradient: `db = -dy * ln(2) * 2^(b-1)`, or 0
 * - errors:   none
 * - source:   Brevitas, function/ops.py
 *
 * @category range
 * @since 0.1.0
 */
export const minInt = (bitWidth: tf.Tensor, { signed, narrowRange }: IntegerRange): tf.Tensor =>
  signed ? tf.add(tf.neg(exp2(tf.sub(bitWidth, 1))), narrowRange ? 1 : 0) : tf.mul(bitWidth, 0)
